//go:build linux && amd64 && !purego

package ws

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMaskStaysInItsOctets masks up to the ends of a page between two that are not there.
func TestMaskStaysInItsOctets(t *testing.T) {
	if !wide {
		t.Skip("without AVX-512")
	}
	page := unix.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(memory) }()
	for _, gone := range [][]byte{memory[:page], memory[2*page:]} {
		if err := unix.Mprotect(gone, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	middle := memory[page : 2*page]
	for n := 1; n <= 300; n++ {
		for _, b := range [][]byte{middle[:n], middle[page-n:]} {
			copy(b, octets(n))
			want := octets(n)
			maskWords(want, 0x3d21fa37)
			if maskWide(&b[0], n, 0x3d21fa37); !bytes.Equal(b, want) {
				t.Fatalf("%d octets", n)
			}
		}
	}
}
