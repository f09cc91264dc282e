package aesni

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"testing"
)

// B is the length of the plaintext; every figure is for one packet, n is how many
// there are in a vector. Each Benchmark… has a BenchmarkStdlib… twin that does the
// same work directly on the standard library with objects that are kept, one packet at
// a time, so that a claim is always measured against something in the same run:
//
//	go run ./internal/bench -only crypto -dry

const benchLen = 100

// chainLength are the plaintexts of a prepare and of its reply.
type chainLength struct{ text, reply int }

var (
	oneStream  = chainLength{17, 28} // with the money of one stream: nearly all of the machine's benchmarks
	someFrames = chainLength{benchLen, 40}

	chainLengths = []chainLength{oneStream, someFrames}
)

var (
	benchVectors = []int{1, 32}
	benchLengths = []int{32, 64, benchLen, 128, 200, 256, 512, 1400, 32 << 10}
)

// benchOps returns n genuine packets of one connection.
func benchOps(b *testing.B, n, length int) (*Keys, []Op) {
	b.Helper()
	keys := NewKeys()
	keys.DeriveEncryption(0, secret(1))
	keys.DeriveFulfillment(0, secret(1))
	ops := make([]Op, n)
	for i := range ops {
		ops[i] = Op{Text: pattern(length, byte(i)), Data: make([]byte, length+Overhead), IV: [12]byte{byte(i)}}
	}
	keys.SealVector(ops)
	return keys, ops
}

func BenchmarkSeal(b *testing.B) {
	for _, length := range benchLengths {
		b.Run(fmt.Sprintf("B=%d", length), func(b *testing.B) {
			keys, ops := benchOps(b, 1, length)
			b.SetBytes(int64(length))
			b.ReportAllocs()
			for b.Loop() {
				keys.Seal(&ops[0])
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, length := range benchLengths {
		b.Run(fmt.Sprintf("B=%d", length), func(b *testing.B) {
			keys, ops := benchOps(b, 1, length)
			b.SetBytes(int64(length))
			b.ReportAllocs()
			for b.Loop() {
				keys.Open(&ops[0])
			}
			if !ops[0].OK {
				b.Fatal("not genuine")
			}
		})
	}
}

// BenchmarkFulfill proves: fulfillment and condition.
func BenchmarkFulfill(b *testing.B) {
	for _, n := range benchVectors {
		b.Run(fmt.Sprintf("B=%d/n=%d", benchLen, n), func(b *testing.B) {
			keys, ops := benchOps(b, n, benchLen)
			b.ReportAllocs()
			for done := 0; b.Loop(); done++ {
				if done%n == 0 { // one iteration is one packet
					keys.ProveVector(ops)
				}
			}
		})
	}
}

// BenchmarkReceiveChain is all a receiver does for a packet: open it, prove
// it, and seal a reply under a fresh IV.
func BenchmarkReceiveChain(b *testing.B) {
	for _, length := range chainLengths {
		for _, n := range benchVectors {
			b.Run(fmt.Sprintf("B=%d/n=%d", length.text, n), func(b *testing.B) {
				keys, ops := benchOps(b, n, length.text)
				replies := benchReplies(n, length.reply)
				ivs := NewIVSource(ivSeed(1))
				b.ReportAllocs()
				for done := 0; b.Loop(); done++ {
					if done%n != 0 {
						continue
					}
					serve(b, keys, ivs, ops, replies)
				}
			})
		}
	}
}

// serve does the chain for a vector of packets and of their replies.
func serve(b *testing.B, keys *Keys, ivs *IVSource, ops, replies []Op) {
	keys.OpenVector(ops)
	keys.ProveVector(ops)
	for i := range replies {
		if !ops[i].OK {
			b.Fatal("not genuine")
		}
		ivs.Next(&replies[i].IV, 0)
	}
	keys.SealWarm(replies)
}

// benchReplies returns n packets to be sealed.
func benchReplies(n, length int) []Op {
	replies := make([]Op, n)
	for i := range replies {
		replies[i] = Op{Text: pattern(length, byte(i)), Data: make([]byte, length+Overhead)}
	}
	return replies
}

// coldConns is how many connections' keys the cold benchmarks use in random order:
// more than any cache holds.
const coldConns = 500_000

// coldOrder is a random order of the connections.
func coldOrder() []uint32 {
	order := make([]uint32, coldConns)
	for i, v := range rand.New(rand.NewPCG(1, 2)).Perm(coldConns) {
		order[i] = uint32(v)
	}
	return order
}

// BenchmarkColdChain is the chain of packets whose connections were not heard of
// lately. All have the same secret, each with keys of its own in memory.
func BenchmarkColdChain(b *testing.B) {
	for _, n := range benchVectors {
		b.Run(fmt.Sprintf("B=%d/n=%d", benchLen, n), func(b *testing.B) {
			keys, ops := benchOps(b, n, benchLen)
			for slot := range uint32(coldConns) {
				keys.DeriveEncryption(slot, secret(1))
				keys.DeriveFulfillment(slot, secret(1))
			}
			order := coldOrder()
			ivs := NewIVSource(ivSeed(1))
			replies := benchReplies(n, someFrames.reply)
			b.ReportAllocs()
			for done, at := 0, 0; b.Loop(); done++ {
				if done%n != 0 {
					continue
				}
				for i := range ops {
					ops[i].Key = order[at]
					replies[i].Key = order[at]
					if at++; at == coldConns {
						at = 0
					}
				}
				serve(b, keys, ivs, ops, replies)
			}
		})
	}
}

// BenchmarkKeySetup derives and expands both keys of a connection.
func BenchmarkKeySetup(b *testing.B) {
	keys := NewKeys()
	sharedSecret := secret(1)
	b.ReportAllocs()
	for b.Loop() {
		keys.DeriveEncryption(0, sharedSecret)
		keys.DeriveFulfillment(0, sharedSecret)
	}
}

func BenchmarkIV(b *testing.B) {
	ivs := NewIVSource(ivSeed(1))
	var iv [12]byte
	b.ReportAllocs()
	for b.Loop() {
		ivs.Next(&iv, 0)
	}
}

func BenchmarkRecognise(b *testing.B) {
	ivs, other := NewIVSource(ivSeed(1)), NewIVSource(ivSeed(2))
	ops := make([]Op, 32)
	for i := range ops {
		other.Next(&ops[i].IV, 0)
		ops[i].OK, ops[i].Data = true, ops[i].IV[:]
	}
	b.ReportAllocs()
	for b.Loop() {
		ivs.Recognise(ops)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ops)), "ns/packet")
	if ops[0].SealedBy != Stranger {
		b.Fatal("another's is known")
	}
}

// stdlibPeer is what a careful program without this package keeps for a
// connection.
type stdlibPeer struct {
	aead cipher.AEAD
	mac  hash.Hash
}

func newStdlibPeer(b *testing.B, sharedSecret []byte) stdlibPeer {
	derive := hmac.New(sha256.New, sharedSecret)
	derive.Write(labelEncryption)
	block, err := aes.NewCipher(derive.Sum(nil))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	derive.Reset()
	derive.Write(labelFulfillment)
	return stdlibPeer{aead, hmac.New(sha256.New, derive.Sum(nil))}
}

func BenchmarkStdlibSeal(b *testing.B) {
	for _, length := range benchLengths {
		b.Run(fmt.Sprintf("B=%d", length), func(b *testing.B) {
			peer := newStdlibPeer(b, secret(1))
			iv, text, out := make([]byte, 12), pattern(length, 1), make([]byte, 0, length+Overhead)
			b.SetBytes(int64(length))
			b.ReportAllocs()
			for b.Loop() {
				out = peer.aead.Seal(out[:0], iv, text, nil)
			}
		})
	}
}

func BenchmarkStdlibOpen(b *testing.B) {
	for _, length := range benchLengths {
		b.Run(fmt.Sprintf("B=%d", length), func(b *testing.B) {
			peer := newStdlibPeer(b, secret(1))
			iv, out := make([]byte, 12), make([]byte, 0, length)
			sealed := peer.aead.Seal(nil, iv, pattern(length, 1), nil)
			b.SetBytes(int64(length))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if out, err = peer.aead.Open(out[:0], iv, sealed, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStdlibFulfill(b *testing.B) {
	b.Run(fmt.Sprintf("B=%d/n=1", benchLen), func(b *testing.B) {
		peer := newStdlibPeer(b, secret(1))
		data, fulfillment := pattern(benchLen+Overhead, 1), make([]byte, 0, 32)
		var condition [32]byte
		b.ReportAllocs()
		for b.Loop() {
			peer.mac.Reset()
			peer.mac.Write(data)
			fulfillment = peer.mac.Sum(fulfillment[:0])
			condition = sha256.Sum256(fulfillment)
		}
		sinkHash = condition
	})
}

// stdlibChain is what a receiver does for one packet with the standard library.
type stdlibChain struct {
	ivs                    *IVSource
	requestIV, data, reply []byte
	replyIV                *[12]byte
	text, fulfillment, out []byte
	sealed                 []byte
	condition              [32]byte
}

func newStdlibChain(peer *stdlibPeer, length chainLength) *stdlibChain {
	c := &stdlibChain{
		ivs: NewIVSource(ivSeed(1)), requestIV: make([]byte, 12), replyIV: new([12]byte), data: make([]byte, length.text+Overhead),
		reply: pattern(length.reply, 1), text: make([]byte, 0, 256), fulfillment: make([]byte, 0, 32), out: make([]byte, 0, 256),
	}
	c.sealed = peer.aead.Seal(nil, c.requestIV, pattern(length.text, 1), nil)
	return c
}

func (c *stdlibChain) do(b *testing.B, peer *stdlibPeer) {
	var err error
	if c.text, err = peer.aead.Open(c.text[:0], c.requestIV, c.sealed, nil); err != nil {
		b.Fatal(err)
	}
	peer.mac.Reset()
	peer.mac.Write(c.data)
	c.fulfillment = peer.mac.Sum(c.fulfillment[:0])
	c.condition = sha256.Sum256(c.fulfillment)
	c.ivs.Next(c.replyIV, 0)
	c.out = peer.aead.Seal(c.out[:0], c.replyIV[:], c.reply, nil)
}

func BenchmarkStdlibReceiveChain(b *testing.B) {
	for _, length := range chainLengths {
		b.Run(fmt.Sprintf("B=%d/n=1", length.text), func(b *testing.B) {
			peer := newStdlibPeer(b, secret(1))
			c := newStdlibChain(&peer, length)
			b.ReportAllocs()
			for b.Loop() {
				c.do(b, &peer)
			}
		})
	}
}

func BenchmarkStdlibColdChain(b *testing.B) {
	b.Run(fmt.Sprintf("B=%d/n=1", benchLen), func(b *testing.B) {
		peers := make([]stdlibPeer, coldConns)
		for i := range peers {
			peers[i] = newStdlibPeer(b, secret(1))
			peers[i].mac.Reset() // the first saves the midstates
		}
		order := coldOrder()
		c := newStdlibChain(&peers[0], someFrames)
		b.ReportAllocs()
		for at := 0; b.Loop(); {
			c.do(b, &peers[order[at]])
			if at++; at == coldConns {
				at = 0
			}
		}
	})
}

func BenchmarkStdlibKeySetup(b *testing.B) {
	sharedSecret := secret(1)
	b.ReportAllocs()
	for b.Loop() {
		sinkPeer = newStdlibPeer(b, sharedSecret)
	}
}

var (
	sinkHash [32]byte
	sinkPeer stdlibPeer
)
