//go:build plant_lost_credit

package main

// planted says that the engine loses a credit now and then, on purpose.
const planted = true
