package slab

import (
	"reflect"
	"unsafe"
)

// Memory is where segments come from instead of the heap, such as pages of 2 MiB: it
// returns that many octets, zeroed, which begin at a cache line, live as long as the
// Memory does, and are never given back; or nil, and the heap serves. The
// collector does not look into it.
type Memory func(octets int) []byte

// Lender is memory that goes back. Lend is like a Memory. Return takes a slice that Lend
// gave, as long as that was, cleared.
type Lender interface {
	Lend(octets int) []byte
	Return(b []byte)
}

// Loans is a lender's memory on its way to several tables: it knows what was lent, and
// returns that and nothing else. Where the lender gave too little, the heap serves.
type Loans struct {
	lender Lender
	out    map[unsafe.Pointer][]byte
}

// LoansOf returns the loans of a lender, or nil of none.
func LoansOf(lender Lender) Lender {
	if lender == nil {
		return nil
	}
	return &Loans{lender, make(map[unsafe.Pointer][]byte)}
}

// Lend implements Lender.
func (l *Loans) Lend(octets int) []byte {
	b := l.lender.Lend(octets)
	switch {
	case len(b) >= octets:
		l.out[unsafe.Pointer(unsafe.SliceData(b))] = b
		return b
	case len(b) > 0:
		l.lender.Return(b)
	}
	return nil
}

// Return implements Lender. What was not lent is the collector's.
func (l *Loans) Return(b []byte) {
	p := unsafe.Pointer(unsafe.SliceData(b))
	if whole, ok := l.out[p]; ok {
		delete(l.out, p)
		l.lender.Return(whole)
	}
}

// lent returns a zeroed T from a lender, or from the heap.
func lent[T any](l Lender) *T {
	if l == nil {
		return new(T)
	}
	return segmentOf[T](l.Lend)
}

// giveBack returns what lent gave, cleared, or what is of the heap, which the lender must
// bear as Loans do.
func giveBack[T any](l Lender, v *T) { giveOctets(l, unsafe.Pointer(v), int(unsafe.Sizeof(*v))) }

// lentOctets and giveOctets are the same of n octets.
func lentOctets(l Lender, n int) unsafe.Pointer {
	if l != nil {
		if b := l.Lend(n); len(b) >= n {
			return unsafe.Pointer(unsafe.SliceData(b))
		}
	}
	return unsafe.Pointer(unsafe.SliceData(make([]byte, n)))
}

func giveOctets(l Lender, p unsafe.Pointer, n int) {
	if l != nil {
		l.Return(unsafe.Slice((*byte)(p), n))
	}
}

// segmentOf returns a zeroed T from memory, or from the heap.
func segmentOf[T any](memory Memory) *T {
	if memory != nil {
		size := int(unsafe.Sizeof(*new(T)))
		if b := memory(size); len(b) >= size {
			return (*T)(unsafe.Pointer(unsafe.SliceData(b)))
		}
	}
	return new(T)
}

// mustHaveNoPointers panics if values of a type hold any: the collector would free what
// they point to.
func mustHaveNoPointers(t reflect.Type) {
	switch t.Kind() {
	case reflect.Array:
		mustHaveNoPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			mustHaveNoPointers(t.Field(i).Type)
		}
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
	default:
		panic("slab: records with pointers outside of the heap: " + t.String())
	}
}
