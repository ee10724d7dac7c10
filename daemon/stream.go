package daemon

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// answerTime is how long a question waits for the person.
const answerTime = 10 * time.Minute

// stream is an answer of one JSON object a line, and the way to ask the person
// at its other end. It may be used by several goroutines.
type stream struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	gone <-chan struct{} // closed when the caller has gone away
	uid  uint32
	qs   *questions
}

// begin begins a streamed answer.
func (o *reply) begin(r *http.Request, qs *questions) *stream {
	p, _ := peerOf(r.Context())
	o.w.Header().Set("Content-Type", ipc.ContentTypeStream)
	o.w.WriteHeader(http.StatusOK)
	o.stream = &stream{w: o.w, gone: r.Context().Done(), uid: p.UID, qs: qs}
	return o.stream
}

// send writes one line. A caller who has gone away misses it, and that is all.
func (s *stream) send(e ipc.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if json.NewEncoder(s.w).Encode(e) == nil {
		_ = http.NewResponseController(s.w).Flush()
	}
}

func (s *stream) step(rot, name, text string) {
	s.send(ipc.Event{Step: &ipc.Step{Name: name, Text: text, ROT: rot}})
}

// ask puts a question to the person and waits for the answer.
func (s *stream) ask(ctx context.Context, kind, text string) (secret.Text, error) {
	id, answer := s.qs.add(s.uid)
	defer s.qs.remove(id)
	hidden := kind == ipc.AskPassword || kind == ipc.AskFileKey
	s.send(ipc.Event{Question: &ipc.Question{ID: id, Kind: kind, Text: text, Secret: hidden}})
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case v := <-answer:
		return v, nil
	case <-s.gone:
		return secret.Text{}, needsPerson("nobody is there any more to answer: " + text)
	case <-late.C:
		return secret.Text{}, needsPerson("nobody answered within ten minutes: " + text)
	case <-ctx.Done():
		return secret.Text{}, ctx.Err()
	}
}

func needsPerson(message string) error {
	return &npm.Error{Kind: npm.ErrNeedsPerson, Message: message, Hint: "run the command again"}
}

// questions are those that wait for an answer. The zero value is ready.
type questions struct {
	mu   sync.Mutex
	open map[string]question
}

type question struct {
	uid    uint32
	answer chan secret.Text // holds one
}

func (q *questions) add(uid uint32) (id string, answer <-chan secret.Text) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		q.open = make(map[string]question)
	}
	id = rand.Text()
	c := make(chan secret.Text, 1)
	q.open[id] = question{uid, c}
	return id, c
}

func (q *questions) remove(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, id)
}

// take removes a question for answering; only the user it was put to may.
func (q *questions) take(id string, uid uint32) (chan<- secret.Text, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	open, ok := q.open[id]
	if !ok || open.uid != uid {
		return nil, false
	}
	delete(q.open, id)
	return open.answer, true
}

func (d *Daemon) postAnswer(r *http.Request, _ *store.Store, out *reply) error {
	var a ipc.Answer
	if err := readBody(r, &a); err != nil {
		return err
	}
	p, ok := peerOf(r.Context())
	if !ok {
		return errors.New("a request without a peer")
	}
	answer, ok := d.questions.take(r.PathValue("id"), p.UID)
	if !ok {
		return &ipc.Error{Code: ipc.CodeNotFound, Message: "this question is not open", Hint: "it was answered, or its command has ended"}
	}
	answer <- a.Value.Text
	return out.noContent()
}
