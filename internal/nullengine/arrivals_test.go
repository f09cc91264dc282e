package nullengine

import (
	"math"
	"testing"
)

func TestConstantArrivalsAreEvenlySpaced(t *testing.T) {
	a := NewArrivals(500, 300_000, false, 1) // every 3,333 1/3 ns
	for i := int64(1); i <= 9; i++ {
		if want := 500 + i*10_000/3; a.Next() < want-1 || a.Next() > want+1 {
			t.Errorf("arrival %d is due at %d, want %d", i, a.Next(), want)
		}
		a.Pass()
	}
}

func TestPoissonArrivalsHaveTheRateAndItsSpread(t *testing.T) {
	const n, rate = 200_000, 1e6
	a := NewArrivals(0, rate, true, 7)
	var last int64
	var sum, squares float64
	for range n {
		gap := float64(a.Next() - last)
		sum += gap
		squares += gap * gap
		last = a.Next()
		a.Pass()
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-1000) > 10 || math.Abs(deviation-1000) > 20 {
		t.Errorf("gaps of %.1f ns on average, deviating by %.1f; both should be 1000", mean, deviation)
	}
}

func TestArrivalsFarApartWaitForNothing(t *testing.T) {
	if g := NewArrivals(0, 1000, false, 1).Gather(); g != 0 {
		t.Errorf("arrivals 1 ms apart wait %d ns for others", g)
	}
	if g := NewArrivals(0, 1e6, false, 1).Gather(); g != int64(Granule)-1000 {
		t.Errorf("arrivals 1 µs apart wait %d ns for others", g)
	}
}
