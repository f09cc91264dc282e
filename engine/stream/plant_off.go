//go:build !plant_lost_credit && !plant

package stream

// plant is where a deliberate bug is built in under the tag plant_lost_credit,
// to show that the checks of the money notice it. Here it is none.
type plant struct{}

func (*plant) lostCredit(*Amount) {}
