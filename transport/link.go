package transport

// Link is one authenticated BTP session on one loop.
type Link struct {
	// Tag is free for the layer above.
	Tag uint64
}

// LinkStats counts what one link did.
type LinkStats struct {
	FramesIn, FramesOut uint64 // WebSocket frames
	OctetsIn, OctetsOut uint64 // octets on the wire
	Reads, Writes       uint64 // system calls
}

func (l *Link) Room() int                       { return 0 }
func (l *Link) Request(id uint32, n int) []byte { return nil }
func (l *Link) Reply(id uint32, n int) []byte   { return nil }
func (l *Link) Close(reason error)              {}
func (l *Link) Account() any                    { return nil }
func (l *Link) Context() any                    { return nil }
func (l *Link) Loop() *Loop                     { return nil }
func (l *Link) RemoteAddr() string              { return "" }
func (l *Link) Server() bool                    { return false }
func (l *Link) Stats() LinkStats                { return LinkStats{} }
