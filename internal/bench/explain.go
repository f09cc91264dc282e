package main

import "strings"

// unexplained stands where the map below knows nothing: somebody has to look what it
// is, and to write it down.
const unexplained = "**unexplained**"

// explanations say what the parts of a round trip do: stages, as loadgen calls them,
// and functions, as its profile names them; a name that ends with an asterisk is how
// others begin. Of several that fit the longest counts. The machine's functions have
// each their own, so that a new one does not go unnoticed.
var explanations = map[string]string{
	// Stages.
	"kernel":                           "system calls: the socket buffers' copies and TCP over loopback, mostly inside the write that carries a whole wake-up's output",
	"Go runtime: scheduler, collector": "goroutines that sleep and are woken when a loop has nothing to read, timers, the profiler's own signals; what the collector takes of it says the table above",
	"gnet":                             "from the poller's event to the read and the callback, and the write",
	"WebSocket: framing, masking":      "a header of each frame made and parsed; a client's octets masked, a server's unmasked, once each way",
	"BTP session":                      "each message's type, request id and ILP packet found in the octets of a read; header of each that leaves",
	"ILP and STREAM codec":             "prepare and fulfill laid out and checked field by field, lengths first, and the frames inside",
	"look up, derive keys":             "from address token or request id to the record: hash, table, and the waiting for memory that prefetching has not hidden",
	"open":                             "AES-256-GCM of what came in: the prepare's data at one end, the reply's at the other",
	"prove":                            "HMAC-SHA-256 over the data, then SHA-256: at the sender for the condition, at the receiver for the fulfillment",
	"seal":                             "AES-256-GCM of what leaves, with a fresh IV each",
	"decide, account":                  "whether a packet is new, in time and within limits; its money counted at either end; totals and windows brought up to date",
	"transmit":                         "which connection's turn it is, what it may send, the packet written, its request noted; and waiting for records that come in random order",
	"engine and transport glue":        "vectors handed from transport to machine, room in the output reserved, loops woken",
	"loadgen itself":                   "the load's own counting",
	"other":                            "what fits nowhere else",

	// The kernel.
	"golang.org/x/sys/unix.Write":     "write(2): copies a wake-up's output of a link into the socket, and over loopback does the peer's receiving, too",
	"golang.org/x/sys/unix.Writev":    "writev(2): the same of output in several chunks",
	"golang.org/x/sys/unix.Read":      "read(2): copies up to 256 KiB out of the socket",
	"golang.org/x/sys/unix.EpollWait": "epoll_wait(2): asks which sockets can be read, and sleeps when none can",
	"runtime.futex":                   "a thread of Go sleeps or is woken",
	"runtime.futexwakeup":             "a thread of Go is woken",

	// What the runtime does for whoever called it.
	"runtime.memmove":                 "copies octets: addresses and data into packets, frames into the output",
	"runtime.memclrNoHeapPointers":    "zeroes octets",
	"runtime.duff*":                   "copies or zeroes small structs",
	"runtime.asyncPreempt":            "where the profiler's signal has caught a loop",
	"internal/runtime/maps.*":         "a map of Go's",
	"internal/bytealg.*":              "finds or compares octets",
	"github.com/panjf2000/gnet/*":     "gnet's event loop",
	"crypto/internal/fips140/aes*":    "the standard library's AES-GCM, where the processor lacks what ours needs",
	"crypto/internal/fips140/sha256*": "the standard library's SHA-256, where the processor lacks what ours needs",
	"crypto/internal/fips140/hmac*":   "the standard library's HMAC, where the processor lacks what ours needs",

	// The packet cryptography.
	"aesni.open*":            "decrypts and checks the tag: a packet in one pass, in registers",
	"aesni.seal*":            "encrypts and makes the tag: a packet in one pass, in registers",
	"aesni.prove*":           "HMAC-SHA-256 and SHA-256 of up to 16 packets side by side, a lane of the vector registers each",
	"aesni.(*Keys).prove*":   "hands up to 16 packets at a time to the hashing",
	"aesni.blocks*":          "SHA-256",
	"aesni.hmacPair*":        "HMAC-SHA-256 of two short messages under one key",
	"aesni.expand*":          "the key schedule of AES",
	"aesni.ctr*":             "encrypts or decrypts a long packet, or on processors without AVX-512",
	"aesni.encrypt8*":        "blocks of AES on processors without AVX-512",
	"aesni.ghash*":           "the tag of a long packet, or on processors without AVX-512",
	"aesni.prefetchBlock":    "asks for the keys of the next packet",
	"aesni.(*Keys).blockOf":  "the first look at a connection's keys: where memory is waited for when they were not prefetched in time",
	"aesni.(*IVSource).*":    "fresh IVs, and whether what comes in has one of ours",
	"aesni.(*permutation).*": "fresh IVs, and whether what comes in has one of ours",

	// Records.
	"pool/slab.prefetch*":        "asks for records of the next packets of a vector: the processor waits here when too many are on their way",
	"pool/slab.(*Slab).At":       "from a record's number to where it is",
	"pool/slab.(*Slab).Prefetch": "from a record's number to where it is, and asks for it",
	"pool/slab.(*leaf).find":     "the hash table's bucket of a token: a cache miss for a connection that was not in use lately",
	"pool/slab.(*Ring).*":        "the ring of connections whose turn comes",
	"pool/slab.(*Wheel).*":       "the timers of requests: when an answer is late",

	// Octets and values.
	"codec/ilp.*":          "ILP packets: fields checked and laid out",
	"codec/btp.*":          "BTP messages: fields checked and laid out",
	"codec/frame.*":        "STREAM packets and their frames: checked and laid out",
	"codec/oer.*":          "OER integers and lengths",
	"transport/ws.*":       "WebSocket frames: headers and masks",
	"transport/session.*":  "BTP sessions: from octets to vectors of packets, and back",
	"transport.(*Link).*":  "a packet's place in a link's output",
	"transport.(*Loop).*":  "the loop: reads handed on, output handed over",
	"engine.(*shard).*":    "vectors from transport to machine, packets from machine to output",
	"main.(*crowd).*":      "loadgen's streams are given more to send",
	"main.(*pacer).*":      "loadgen's clock of an open loop",
	"runtime/pprof.*":      "the profiler itself",
	"runtime.sigprof":      "the profiler itself",
	"runtime.(*unwinder)*": "the profiler itself, which walks the stack",
	"runtime.pcvalue":      "the profiler itself, which walks the stack",

	// The machine.
	"engine/stream.(*Machine).plainBuild":     "the sender's next packet: sequence, amount, expiry and frames, and all that is noted of it; the first touch of the stream's record and of its request's slot",
	"engine/stream.(*Machine).plainFulfill":   "the sender's books of a fulfilled packet: money from held to sent, round-trip time, window",
	"engine/stream.(*Machine).plainPrepare":   "the receiver's decision over a packet: sequence, amount, limits; the credit, and its reply laid out",
	"engine/stream.(*Machine).vector":         "the stages over a vector, one after the other",
	"engine/stream.(*Machine).view":           "where in a packet is what the stages need",
	"engine/stream.(*Machine).find":           "the tokens of a vector looked up in the table, buckets asked for first",
	"engine/stream.(*Machine).lookUp":         "from what was found to keys and the octets to open",
	"engine/stream.(*Machine).lookUpAnswer":   "an answer's fulfillment compared with the expected one",
	"engine/stream.(*Machine).slotOfAnswer":   "the request that an answer belongs to",
	"engine/stream.(*Machine).tokenHash":      "a keyed hash of the address token",
	"engine/stream.(*Machine).openInto":       "a packet's part of the vector to open",
	"engine/stream.(*Machine).decideAnswer":   "what an answer changes, by its kind",
	"engine/stream.(*Machine).transmitVector": "one connection after the other gets its turn, while window and output have room",
	"engine/stream.(*Machine).prefetchReady":  "asks for the records of connections whose turn comes soon",
	"engine/stream.(*Machine).prefetchNext":   "asks for the stream and the address of the connection whose turn comes next: the first look at its record, where memory is waited for",
	"engine/stream.(*Machine).prefetchStream": "asks for the stream of a packet's connection: the first look at its record, where memory is waited for",
	"engine/stream.(*Machine).track":          "a request is added to its link's list",
	"engine/stream.(*Machine).untrack":        "a request is taken out of its link's list",
	"engine/stream.(*Machine).freeSlot":       "a request's slot is given back",
	"engine/stream.(*Machine).newSlot":        "a slot for a request",
	"engine/stream.(*Machine).armConn":        "a connection's timer",
	"engine/stream.(*Machine).sealReplies":    "the replies of a vector sealed in one call",
	"engine/stream.(*replayWindow).*":         "whether a sequence was seen before",
	"engine/stream.(*Machine).HandleTimeout":  "timers that are due",
}

// explain is the explanation of a stage or function.
func explain(name string) string {
	if text, ok := explanations[name]; ok {
		return text
	}
	longest, text := "", unexplained
	for key, t := range explanations {
		start, some := strings.CutSuffix(key, "*")
		if some && strings.HasPrefix(name, start) && len(start) >= len(longest) {
			longest, text = start, t
		}
	}
	return text
}
