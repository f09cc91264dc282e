package main

import (
	"reflect"
	"testing"
)

func TestEveryPartOfThreePercentIsExplainedOrSaysThatItIsNot(t *testing.T) {
	got := stageRows([]profilePart{{Stage: "kernel", Percent: 21.3, Nanos: 197}, {Stage: "gnet", Percent: 0.5, Nanos: 4}, {Stage: "other"}, {Stage: "a new one", Percent: 3, Nanos: 28}})
	want := [][]string{{"kernel", "21.3", "197", explain("kernel")}, {"gnet", "0.50", "4.00", ""}, {"a new one", "3.00", "28.0", unexplained}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = functionRows([]profilePart{
		{Function: "aesni.prove16AVX512", Stages: []string{"prove"}, Percent: 9.4, Nanos: 86},
		{Function: "engine/stream.(*Machine).new", Stages: []string{"open", "seal"}, Percent: 3.1, Nanos: 30},
		{Function: "runtime.memmove", Percent: 2.9},
	})
	want = [][]string{
		{"`aesni.prove16AVX512`", "prove", "9.40", "86.0", explanations["aesni.prove*"]},
		{"`engine/stream.(*Machine).new`", "open; seal", "3.10", "30.0", unexplained},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
