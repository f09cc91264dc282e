package stream

// slide is a queue of octets in one piece of memory: they are added behind,
// dropped in front, and can always be looked at as one slice. Moving them down
// costs each octet at most one copy.
type slide struct {
	buf  []byte
	head int
}

func (s *slide) len() int { return len(s.buf) - s.head }

// octets are all of them; good until the next call that changes the queue.
func (s *slide) octets() []byte { return s.buf[s.head:] }

// room makes sure that n more octets fit.
func (s *slide) room(n int) {
	if len(s.buf)+n <= cap(s.buf) {
		return
	}
	live := s.len()
	if s.head >= live && live+n <= cap(s.buf) {
		s.buf = s.buf[:copy(s.buf[:live], s.buf[s.head:])]
	} else {
		grown := make([]byte, live, max(2*live, live+n, 512))
		copy(grown, s.buf[s.head:])
		s.buf = grown
	}
	s.head = 0
}

func (s *slide) append(p []byte) {
	s.room(len(p))
	s.buf = append(s.buf, p...)
}

// extend adds n zero octets.
func (s *slide) extend(n int) {
	s.room(n)
	from := len(s.buf)
	s.buf = s.buf[:from+n]
	clear(s.buf[from:])
}

// drop takes n octets away in front.
func (s *slide) drop(n int) {
	if s.head += n; s.head == len(s.buf) {
		s.buf, s.head = s.buf[:0], 0
	}
}
