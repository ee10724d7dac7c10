package helper

import (
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// progress is the line that shows what is being done: drawn again and again on
// a terminal, a line a step elsewhere. The zero value shows nothing.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	head    string // "rotating…"
	text    string
	drawn   bool
	frame   int
	stop    chan struct{}
	stopped chan struct{}
}

var frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

const frameTime = 80 * time.Millisecond

// progressStart begins the line.
func (t *tui) progressStart(head string) {
	if !t.moving {
		return
	}
	p := &t.progress
	p.w, p.head = t.stderr, head
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.stopped)
		tick := time.NewTicker(frameTime)
		defer tick.Stop()
		for {
			p.draw(t.width)
			select {
			case <-tick.C:
			case <-p.stop:
				return
			}
		}
	}()
}

// progressStep says what is being done now. The reference may be empty.
func (t *tui) progressStep(rot, text string) {
	if !t.moving {
		if rot != "" {
			rot += ": "
		}
		t.note("rot: " + clean(rot+text))
		return
	}
	t.progress.mu.Lock()
	defer t.progress.mu.Unlock()
	t.progress.text = clean(text)
}

// progressDone ends the line and takes it away. It may be called again.
func (t *tui) progressDone() {
	p := &t.progress
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.stopped
	p.hide()
	p.stop, p.text = nil, ""
}

func (p *progress) draw(width int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head == "" {
		return
	}
	p.frame++
	line := string(frames[p.frame%len(frames)]) + " " + p.head + " " + p.text
	_, _ = io.WriteString(p.w, "\r\x1b[K"+clip(line, width-1))
	p.drawn = true
}

// hide takes the line away until it is drawn again.
func (p *progress) hide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) erase() {
	if p.drawn {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// pause takes the line away until resume is called.
func (p *progress) pause() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	head := p.head
	p.head = ""
	return func() {
		p.mu.Lock()
		p.head = head
		p.mu.Unlock()
	}
}

// clip shortens s to width columns; it counts runes, and 0 or less is no limit.
func clip(s string, width int) string {
	if width <= 0 || utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}
