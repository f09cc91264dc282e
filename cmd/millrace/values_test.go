package main

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

// Amounts on the command line are the texts that the reference library takes for
// amounts. Its JavaScript numbers have no counterpart: an amount is a uint64.
var amountDifferences = vectors.Differences{
	"string \"007\"": "leading zeros are harmless: strconv's decimal numbers are taken",
}

func TestAmountsAsTheReferenceReadsThem(t *testing.T) {
	v := vectors.Load[struct {
		FromValue []struct {
			Input    string
			Accepted bool
			Value    string
		}
	}](t, "arithmetic.json")
	check := amountDifferences.Check(t)
	texts := 0
	for _, c := range v.FromValue {
		quoted, isText := strings.CutPrefix(c.Input, "string ")
		if !isText {
			continue
		}
		texts++
		text, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		amount, err := parseAmount(text)
		switch {
		case (err == nil) != c.Accepted:
			check.Case(c.Input, "accepted: "+strconv.FormatBool(err == nil))
		case err == nil && strconv.FormatUint(amount, 10) != c.Value:
			check.Case(c.Input, "read as "+strconv.FormatUint(amount, 10))
		default:
			check.Case(c.Input, "")
		}
	}
	if texts < 8 {
		t.Fatalf("only %d texts", texts)
	}
}

// Rates and slippages are read as exact fractions, as the reference reads numbers,
// and written as decimals.
var rateDifferences = vectors.Differences{}

func TestRatesAsTheReferenceReadsAndWritesThem(t *testing.T) {
	v := vectors.Load[struct {
		FromNumber []struct {
			Number                       json.Number
			Numerator, Denominator, Text string
		}
		Texts []struct{ Numerator, Denominator, Text string }
	}](t, "arithmetic.json")
	if len(v.FromNumber) == 0 || len(v.Texts) == 0 {
		t.Fatal("vectors are missing")
	}
	check := rateDifferences.Check(t)
	for _, c := range v.FromNumber {
		want, _ := new(big.Rat).SetString(c.Numerator + "/" + c.Denominator)
		got, err := parseRational(c.Number.String())
		if err != nil || got.Cmp(want) != 0 {
			check.Case(c.Number.String(), "not read as "+want.String())
			continue
		}
		check.Case(c.Number.String(), "")
	}
	for _, c := range v.Texts {
		num, _ := strconv.ParseUint(c.Numerator, 10, 64)
		den, _ := strconv.ParseUint(c.Denominator, 10, 64)
		if got := rate(num, den); got != c.Text {
			check.Case(c.Numerator+"/"+c.Denominator, "written as "+got.(string))
			continue
		}
		check.Case(c.Numerator+"/"+c.Denominator, "")
	}
}
