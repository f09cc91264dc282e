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

// Lender is memory that goes back. Lend is like a Memory. Return takes what it lent, which
// was cleared before.
type Lender interface {
	Lend(octets int) []byte
	Return(b []byte)
}

// lent returns a zeroed T from a lender, or from the heap.
func lent[T any](l Lender) *T {
	if l == nil {
		return new(T)
	}
	return segmentOf[T](l.Lend)
}

// giveBack returns what lent gave, cleared. What was of the heap is no lender's, who knows
// that, and goes when nobody has it any more.
func giveBack[T any](l Lender, v *T) {
	if l != nil {
		l.Return(unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)))
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
