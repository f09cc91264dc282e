package sim

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// disk is what the ledger of a node has written: records of one size, each with
// a checksum, in the order of their numbers. What is synced stays whatever
// happens; the rest stays when only the process dies.
type disk struct {
	image  []byte
	synced int // octets
}

const (
	recordLen = 64
	sectorLen = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a credit or void as it is on the disk.
type record struct {
	conn     [16]byte
	sequence uint64
	amount   uint64
	void     bool
}

func (d *disk) write(c *stream.Credit) {
	var b [recordLen]byte
	copy(b[8:24], c.ConnID[:])
	binary.LittleEndian.PutUint64(b[24:], c.Sequence)
	binary.LittleEndian.PutUint64(b[32:], uint64(c.Amount))
	if c.Void {
		b[40] = 1
	}
	binary.LittleEndian.PutUint32(b[0:], crc32.Checksum(b[8:], castagnoli))
	d.image = append(d.image, b[:]...)
}

// sync makes the next records durable.
func (d *disk) sync(records int) { d.synced += records * recordLen }

// crash does to what is not synced what the fault says.
func (d *disk) crash(how Fault, r *rand.Rand) {
	switch how {
	case Torn: // the write has got as far as some octet
		clear(d.image[d.synced+r.IntN(len(d.image)-d.synced+1):])
	case WriteLost, SyncFails: // sectors were written in any order
		for at := d.synced; at < len(d.image); {
			next := min((at/sectorLen+1)*sectorLen, len(d.image))
			if r.IntN(2) == 0 {
				clear(d.image[at:next])
			}
			at = next
		}
	}
}

// recover reads the records up to the first that is not whole, where the disk
// ends from here on.
func (d *disk) recover() []record {
	var all []record
	for at := 0; at < len(d.image); at += recordLen {
		b := d.image[at : at+recordLen]
		if binary.LittleEndian.Uint32(b) != crc32.Checksum(b[8:], castagnoli) {
			d.image = d.image[:at]
			break
		}
		all = append(all, record{[16]byte(b[8:24]), binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:]), b[40] != 0})
	}
	d.synced = len(d.image)
	return all
}
