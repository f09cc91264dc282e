package aesni

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"testing"
)

// streamVectors is what the JavaScript implementation made.
type streamVectors struct {
	SharedSecret octets
	Keys         []struct{ SharedSecret, EncryptionKey, FulfillmentKey octets }
	PacketIDs    []struct {
		SharedSecret octets
		Sequence     string
		PacketID     octets
	}
	Packets []struct {
		Name                                     string
		IV, Tag, Plaintext, Unpadded             octets
		PlaintextLength, DataLength              int
		Data, DataSHA256, Fulfillment, Condition octets // Data is left out where it is long
	}
	Damaged []struct {
		Name     string
		Data     octets
		Accepted bool
	}
}

func TestSTREAMKeyDerivation(t *testing.T) {
	var v streamVectors
	readVectors(t, "stream_crypto.json", &v)
	if len(v.Keys) == 0 || len(v.PacketIDs) == 0 {
		t.Fatal("no vectors")
	}
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		for i, k := range v.Keys {
			var got [32]byte
			HMAC(&got, k.SharedSecret, []byte(LabelEncryption))
			if !Equal(got[:], k.EncryptionKey) {
				t.Errorf("%d: encryption key %x, want %x", i, got, k.EncryptionKey)
			}
			HMAC(&got, k.SharedSecret, []byte(LabelFulfillment))
			if !Equal(got[:], k.FulfillmentKey) {
				t.Errorf("%d: fulfillment key %x, want %x", i, got, k.FulfillmentKey)
			}

			// The table derives the very same: what slot 1 seals and proves from
			// the secret, slot 2 opens and proves with the vector's keys.
			keys := newKeys()
			keys.DeriveEncryption(1, k.SharedSecret)
			keys.DeriveFulfillment(1, k.SharedSecret)
			keys.expandEncryption(2, (*[32]byte)(k.EncryptionKey))
			keys.expandFulfillment(2, (*[32]byte)(k.FulfillmentKey))
			sealed := Op{Key: 1, Text: []byte("hello"), Data: make([]byte, 5+Overhead), IV: [12]byte{1}}
			keys.Seal(&sealed)
			keys.Prove(&sealed)
			opened := Op{Key: 2, Text: make([]byte, 5), Data: sealed.Data}
			keys.Open(&opened)
			keys.Prove(&opened)
			if !opened.OK || string(opened.Text) != "hello" || opened.Fulfillment != sealed.Fulfillment {
				t.Errorf("%d: the table derives other keys", i)
			}
		}
	})
	for _, p := range v.PacketIDs {
		sequence, err := strconv.ParseUint(p.Sequence, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var got [32]byte
		HMAC(&got, p.SharedSecret, []byte(LabelPacketID), binary.BigEndian.AppendUint64(nil, sequence))
		if !Equal(got[:], p.PacketID) {
			t.Errorf("packet id of %d is %x, want %x", sequence, got, p.PacketID)
		}
	}
}

func TestSTREAMPackets(t *testing.T) {
	var v streamVectors
	readVectors(t, "stream_crypto.json", &v)
	if len(v.Packets) == 0 {
		t.Fatal("no vectors")
	}
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(3, v.SharedSecret)
		keys.DeriveFulfillment(3, v.SharedSecret)
		for _, p := range v.Packets {
			plaintext := slices.Concat(p.Unpadded, make([]byte, p.PlaintextLength-len(p.Unpadded)))
			data, check := guarded(t, p.DataLength)
			op := Op{Key: 3, Text: plaintext, Data: data, IV: [12]byte(p.IV)}
			keys.Seal(&op)
			check()
			hash := sha256.Sum256(data)
			if !bytes.Equal(hash[:], p.DataSHA256) || !bytes.Equal(data[12:28], p.Tag) {
				t.Errorf("%s: sealed to %x", p.Name, data)
			}
			if p.Data != nil && (!bytes.Equal(data, p.Data) || !bytes.Equal(plaintext, p.Plaintext)) {
				t.Errorf("%s: sealed to %x, want %x", p.Name, data, p.Data)
			}
			keys.Prove(&op)
			if !Equal(op.Fulfillment[:], p.Fulfillment) || !Equal(op.Condition[:], p.Condition) {
				t.Errorf("%s: fulfillment %x, condition %x; want %x, %x", p.Name, op.Fulfillment, op.Condition, p.Fulfillment, p.Condition)
			}
			op.Text = make([]byte, len(plaintext))
			keys.Open(&op)
			if !op.OK || !bytes.Equal(op.Text, plaintext) {
				t.Errorf("%s: does not open", p.Name)
			}
		}
	})
}

func TestSTREAMDamagedEnvelopes(t *testing.T) {
	var v streamVectors
	readVectors(t, "stream_crypto.json", &v)
	if len(v.Damaged) == 0 {
		t.Fatal("no vectors")
	}
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(3, v.SharedSecret)
		for _, d := range v.Damaged {
			text, check := guarded(t, max(0, len(d.Data)-Overhead))
			clear(text)
			op := Op{Key: 3, Text: text, Data: d.Data, OK: !d.Accepted}
			keys.Open(&op)
			check()
			if op.OK != d.Accepted {
				t.Errorf("%s: accepted %t", d.Name, op.OK)
			}
			if !op.OK && !allZero(text) {
				t.Errorf("%s: left %x behind", d.Name, text)
			}
		}
	})
}
