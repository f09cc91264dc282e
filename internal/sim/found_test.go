package sim

import "testing"

// found are seeds that once found a bug, and what it was. A change of what is
// drawn gives every seed another world, so they say where to look no more than
// any others do; what they found has its test beside the machine.
var found = map[uint64]string{
	39:   "a stream's window that had grown was taken for an overrun",
	139:  "a credit was staged under the id of a secret that was wiped already",
	692:  "the same",
	761:  "a larger unanswered packet was taken for the one that had arrived",
	1202: "the same as 139",
	1513: "a reply was sealed after its connection's keys were wiped in mid-vector",
	3246: "the same",
	3381: "the same",
	4250: "the same as 139",
	// Of worlds as they are dealt with 54 kinds of faults:
	13322:   "of packets of one size in doubt, those of another stream were taken for those that had arrived",
	13791:   "the same",
	14282:   "the same",
	22236:   "octets too late for a replay window that has grown since were taken for arrived",
	22486:   "a packet was looked up before the address that its vector told",
	205909:  "an expired packet behind the end of its connection was R00 in its vector, and F02 alone",
	402586:  "a connection that its vector woke had its timer armed before those of packets ahead of it",
	406294:  "a stream went with its last packet in doubt, and left the total of another ahead",
	409762:  "no bug: a sender went by the window that its receiver had told before it started anew",
	411998:  "a connection fell asleep before the answer to its last hold was sealed",
	412926:  "a refusal at the address that its peer had left ended a connection",
	419171:  "at a rate that nobody had told, a stream's total was taken for packets of others",
	420466:  "a connection that the money of others on its link held up was never woken again",
	425320:  "the same",
	438350:  "the same as 409762",
	450685:  "at a rate that nobody had told, a total was taken for more packets than had arrived",
	463261:  "the same as 419171",
	466144:  "the same as 402586",
	510270:  "the minimum of a packet fulfilled after the end was taken for the rate of those in doubt",
	7000730: "two machines that were full of octets for each other took nothing in",
	7001674: "the same",
	9514715: "what a stream that is over had of a packet in doubt was taken for another's, and money went out twice",
	9525213: "a packet of which less had arrived brought a stream that is over what was not known to have arrived",
	9529577: "so did a packet in the place of which others would have done",
	9558289: "a connector answered a packet with its sender's own reply to the peer's, and octets that never arrived were taken for delivered",
	10644:   "the rate of a few units was taken for that of the packets in doubt, and a stream sent more than it may",
	9683089: "a stream whose peer took nothing filled the memory of all that was to be sent",
	9125577: "no bug: with other vectors a stream was opened under another handle, and the tape spoke of the first",
}

func TestSeedsThatOnceFoundABug(t *testing.T) {
	for seed, what := range found {
		r := Run(Config{Seed: seed, Faults: 1<<dealt - 1})
		if r.Violation != nil {
			t.Errorf("seed %d (%s): %v", seed, what, r.Violation)
		}
	}
}
