package slab

// Places gives handles to things that move: each leads to where its thing is, which its
// owner says, in any numbers of 32 bits. Handles are numbered from 1; one outlives its
// thing, and Get then says so, as Slab's does.
type Places struct {
	segments []*[segmentLen]place
	memory   Memory
	limit    int
	live     int
	fresh    uint32 // the lowest number never given out
	free     uint32 // the number freed last; its place is the one before
}

// place stands in one cache line with its generation: whoever asks needs both.
type place struct {
	generation uint32 // odd while its thing lives
	at         uint32
}

// PlaceLen is the memory of one handle of Places, in octets.
const PlaceLen = 8

// NewPlacesIn returns an empty table of at most limit handles with its segments from
// memory; nil means the heap.
func NewPlacesIn(limit int, memory Memory) *Places {
	if limit < 1 || uint64(limit) > maxIndex-1 {
		panic("slab: limit out of range")
	}
	return &Places{memory: memory, limit: limit, fresh: 1}
}

// Alloc makes a handle that leads to a place and returns its number, or says false when
// there are as many as may be.
func (p *Places) Alloc(at uint32) (number uint32, ok bool) {
	if p.free != 0 {
		number = p.free
		e := p.entry(number)
		p.free = e.at
		e.generation++
		e.at = at
		p.live++
		return number, true
	}
	if p.live == p.limit {
		return 0, false
	}
	number = p.fresh
	p.fresh++
	if int(number>>segmentShift) == len(p.segments) {
		p.segments = append(p.segments, segmentOf[[segmentLen]place](p.memory))
	}
	*p.entry(number) = place{generation: 1, at: at}
	p.live++
	return number, true
}

func (p *Places) entry(number uint32) *place {
	return &p.segments[number>>segmentShift][number&segmentMask]
}

// Get is where the thing of a handle is, or false if it is no more. Any h may be asked
// for, also one that never was.
func (p *Places) Get(h Handle) (at uint32, ok bool) {
	number := h.Index()
	if number>>segmentShift >= uint32(len(p.segments)) {
		return 0, false
	}
	e := p.entry(number)
	if generation := h.Generation(); generation&1 == 0 || e.generation != generation {
		return 0, false
	}
	return e.at, true
}

// At is where the thing of a number is, which must live; Move says that it is elsewhere
// now.
func (p *Places) At(number uint32) uint32 {
	if debug {
		p.mustLive(number, "At")
	}
	return p.entry(number).at
}

// Move is described at At.
func (p *Places) Move(number, at uint32) {
	if debug {
		p.mustLive(number, "Move")
	}
	p.entry(number).at = at
}

// Handle returns the handle of a number, whose thing must live.
func (p *Places) Handle(number uint32) Handle {
	if debug {
		p.mustLive(number, "Handle")
	}
	return MakeHandle(number, p.entry(number).generation)
}

// Free ends a handle; its number serves the next. To free one that is not live panics.
func (p *Places) Free(number uint32) {
	if number>>segmentShift >= uint32(len(p.segments)) || p.entry(number).generation&1 == 0 {
		p.mustLive(number, "Free")
	}
	e := p.entry(number)
	e.generation++
	e.at, p.free = p.free, number
	p.live--
}

// Next returns the lowest live number above after, or 0: from 0 it walks all, in the order
// in which they were first given out.
func (p *Places) Next(after uint32) uint32 {
	for i := uint64(after) + 1; i < uint64(p.fresh); i++ {
		if p.entry(uint32(i)).generation&1 == 1 {
			return uint32(i)
		}
	}
	return 0
}

// Len returns the number of live handles.
func (p *Places) Len() int { return p.live }

func (p *Places) mustLive(number uint32, what string) {
	switch {
	case number == 0 || number >= p.fresh:
		panic("slab: " + what + " of a number never given out")
	case p.entry(number).generation&1 == 0 && what == "Free":
		panic("slab: double free")
	case p.entry(number).generation&1 == 0:
		panic("slab: " + what + " of a number that was freed")
	}
}
