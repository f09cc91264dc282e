//go:build !linux

package main

import "time"

func sleepFor(ns int64) { time.Sleep(time.Duration(ns)) }

func giveWay() {}

// threadCPU is unknown here: the figures say zero.
func threadCPU() time.Duration { return 0 }
