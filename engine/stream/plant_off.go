//go:build !plant_lost_credit

package stream

// plantLostCredit is where a deliberate bug is built in under the tag
// plant_lost_credit, to show that the checks of the money notice it.
func plantLostCredit(*Amount) {}
