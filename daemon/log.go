package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rotd/ipc"
	"rotd/store"
)

const (
	// logPause is how long reads and refusals are gathered before they are
	// written: what a crash may lose of them.
	logPause = time.Second
	// logRetry is the pause after the log could not be written.
	logRetry = time.Minute
	// logLook is how often a follower's log is looked at.
	logLook = 300 * time.Millisecond

	// refusalsApart are entries of one uid's refusals within an hour. What comes
	// after them is one entry a minute: nobody pushes older ones out of the log by
	// being refused.
	refusalsApart = 100

	// readsApart are likewise entries of one uid's reads. What comes after them is
	// gathered for readPause.
	readsApart = 100
	readPause  = time.Minute

	logPage    = 50     // entries, where nobody says how many
	logMaxPage = 10_000 // entries
)

// note appends to the log what somebody has done. A log that cannot be written
// is no reason not to do it.
func (d *Daemon) note(ctx context.Context, e store.LogEntry) {
	if err := d.store.Load().AddLog(context.WithoutCancel(ctx), e); err != nil {
		d.cfg.Log.Warn("the log could not be written", "kind", e.Kind, "err", err)
	}
}

// logbook gathers reads and refusals in memory, so that reading a value writes
// nothing and waits for nothing. The zero value gathers, and wakes nobody.
type logbook struct {
	mu    sync.Mutex
	open  map[logKey]gathered
	fresh chan struct{} // holds one: something is open
	pause time.Duration // between the first entry and the writing of all
	shy   map[caught]refusals
	often map[caught]reads
}

// caught is whoever was refused, or reads.
type caught struct {
	uid   uint32
	known bool
}

// reads are the entries of one's reads within an hour.
type reads struct {
	since time.Time
	apart int
}

// refusals are those of one within an hour.
type refusals struct {
	since time.Time
	apart int
	more  int       // that are in no entry yet
	told  time.Time // of more, last
}

// logKey is what makes two entries one. Every field has few values, so that a
// logbook that nobody writes stays small.
type logKey struct {
	kind, rot  string
	generation int
	uid        uint32
	known      bool // uid is
	detail     string
	token      string // the id of the access token that was used
}

type gathered struct {
	first, last time.Time
	count       int
}

func newLogbook() logbook { return logbook{fresh: make(chan struct{}, 1), pause: logPause} }

// add gathers; first says that there was none like it yet since the last writing.
func (b *logbook) add(k logKey, at time.Time, count int) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[logKey]gathered)
	}
	g, more := b.open[k]
	if !more {
		g.first = at
	}
	g.count += count
	if at.After(g.last) {
		g.last = at
	}
	b.open[k] = g
	b.wake()
	return !more
}

func (b *logbook) wake() {
	select {
	case b.fresh <- struct{}{}:
	default:
	}
}

// refuse gathers a refusal. first says that it is to be told of elsewhere, too.
func (b *logbook) refuse(k logKey, at time.Time) (first bool) {
	k, count := b.lump(k, at)
	if count == 0 || !b.add(k, at, count) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	who := caught{k.uid, k.known}
	of := b.shy[who]
	of.apart++
	b.shy[who] = of
	return true
}

// lump is the entry for a refusal, and how many it stands for; 0: for now it is
// only counted.
func (b *logbook) lump(k logKey, at time.Time) (logKey, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shy == nil || len(b.shy) > 1000 {
		b.shy = make(map[caught]refusals)
	}
	who := caught{k.uid, k.known}
	of := b.shy[who]
	if age := at.Sub(of.since); age < 0 || age >= time.Hour {
		of = refusals{since: at, more: of.more}
	}
	count := 1
	if of.apart >= refusalsApart {
		of.more++
		count = 0
		if age := at.Sub(of.told); age < 0 || age >= time.Minute {
			k.rot, k.detail = "", "one thing and another, again and again"
			count, of.more, of.told = of.more, 0, at
		}
	}
	b.shy[who] = of
	return k, count
}

// ripe takes what is to be written now, and leaves the reads of whoever has many
// entries until they have been gathered for long enough.
func (b *logbook) ripe(now time.Time) map[logKey]gathered {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.often == nil || len(b.often) > 1000 {
		b.often = make(map[caught]reads)
	}
	ripe := make(map[logKey]gathered, len(b.open))
	for k, g := range b.open {
		if k.kind == store.LogRead {
			who := caught{k.uid, k.known}
			of := b.often[who]
			if age := now.Sub(of.since); age < 0 || age >= time.Hour {
				of = reads{since: now}
			}
			if age := now.Sub(g.first); of.apart >= readsApart && age >= 0 && age < readPause {
				continue
			}
			of.apart++
			b.often[who] = of
		}
		ripe[k] = g
		delete(b.open, k)
	}
	if len(b.open) > 0 {
		b.wake()
	}
	return ripe
}

// take empties the book.
func (b *logbook) take() map[logKey]gathered {
	b.mu.Lock()
	defer b.mu.Unlock()
	open := b.open
	b.open = nil
	return open
}

// noteRead notes that the caller of r was given a value.
func (d *Daemon) noteRead(r *http.Request, rot string, generation int) {
	p, known := peerOf(r.Context())
	leave := readingOf(r.Context())
	d.book.add(logKey{store.LogRead, rot, generation, p.UID, known, leave.by, leave.token}, d.cfg.Now(), 1)
}

// noteRefusal notes that the caller of r was turned away from a path, and why
// where it does not go without saying. rot may be empty. The daemon's own log
// tells of it once a second or so, however often he comes.
func (d *Daemon) noteRefusal(r *http.Request, rot, path, why string, err *ipc.Error) {
	p, known := peerOf(r.Context())
	if d.book.refuse(logKey{store.LogRefused, rot, 0, p.UID, known, path + why, ""}, d.cfg.Now()) {
		d.cfg.Log.Warn("refused", "path", path, "rot", rot, "err", err)
	}
}

// keepLog writes what is ripe, about once a second while anything is gathered. It
// runs until the daemon stops; shutdown writes the rest.
func (d *Daemon) keepLog() {
	for {
		select {
		case <-d.book.fresh:
		case <-d.stop.Done():
			return
		}
		if sleep(d.stop, d.book.pause) != nil {
			return
		}
		if err := d.write(d.stop, d.book.ripe(d.cfg.Now())); err != nil && d.stop.Err() == nil {
			d.cfg.Log.Warn("reads are not in the log yet", "err", err)
			_ = sleep(d.stop, logRetry)
		}
	}
}

// writeLog writes all that is gathered.
func (d *Daemon) writeLog(ctx context.Context) error { return d.write(ctx, d.book.take()) }

// write writes what was gathered; on an error it is gathered still.
func (d *Daemon) write(ctx context.Context, open map[logKey]gathered) error {
	st := d.store.Load()
	if len(open) == 0 || st == nil {
		return nil
	}
	entries := make([]store.LogEntry, 0, len(open))
	used := make(map[string]time.Time)
	for k, g := range open {
		e := store.LogEntry{At: g.last, Kind: k.kind, ROT: k.rot, Generation: k.generation, Count: g.count, Detail: k.detail}
		if k.known {
			e.UID = &k.uid
		}
		if k.token != "" && g.last.After(used[k.token]) {
			used[k.token] = g.last
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b store.LogEntry) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ROT, b.ROT), a.Generation-b.Generation)
	})
	err := st.AddLog(ctx, entries...)
	if err == nil && len(used) > 0 {
		if err := st.TokensUsed(ctx, used); err != nil {
			d.cfg.Log.Warn("it is not written down which access tokens were used", "err", err)
		}
	}
	if err != nil {
		for k, g := range open {
			d.book.add(k, g.last, g.count)
		}
	}
	return err
}

// getLog answers a page of the log, the newest entry last: the last ones, or
// those after an id. With follow it is a stream that goes on.
func (d *Daemon) getLog(r *http.Request, st *store.Store, out *reply) error {
	q, follow, err := logQuery(r.Context(), st, r.URL.Query())
	if err != nil {
		return err
	}
	if follow {
		return d.followLog(r, st, out, q)
	}
	page, err := st.Log(r.Context(), q)
	if err != nil {
		return err
	}
	return out.json(map[string]any{"log": logViews(page)})
}

func logQuery(ctx context.Context, st *store.Store, params url.Values) (q store.LogQuery, follow bool, err error) {
	q = store.LogQuery{After: -1, Limit: logPage}
	for name, values := range params {
		value := values[0]
		n, nerr := strconv.ParseInt(value, 10, 64)
		ok := nerr == nil && n >= 0
		switch name {
		case "ref":
			if ok = true; value != "" {
				if err := logRef(ctx, st, value, &q); err != nil {
					return q, false, err
				}
			}
		case "after":
			q.After = n
		case "limit":
			q.Limit = int(n)
			ok = ok && n <= logMaxPage
		case "follow":
			follow = n == 1
			ok = ok && n <= 1
		default:
			ok = false
		}
		if !ok {
			return q, false, badRequest("the log has no page of "+name+"="+value, "it takes ref=REF, after=ID, limit=N (10000 at most) and follow=1")
		}
	}
	return q, follow, nil
}

// logRef has q ask for what ref names. The log outlives what it tells of: the
// whole id of something that was removed will do.
func logRef(ctx context.Context, st *store.Store, ref string, q *store.LogQuery) error {
	found, err := st.Resolve(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		bare := strings.TrimPrefix(strings.TrimPrefix(ref, "rot://"), "dotenvx://")
		found = store.Ref{Kind: store.RefROT, ID: bare}
		if strings.HasPrefix(bare, "pas_") {
			found.Kind = store.RefPasscard
		}
	} else if err != nil {
		return err
	}
	if found.Kind == store.RefPasscard {
		q.Passcard = found.ID
	} else {
		q.ROT = found.ID
	}
	if err == nil {
		return nil
	}
	if told, lerr := st.Log(ctx, store.LogQuery{ROT: q.ROT, Passcard: q.Passcard, After: -1, Limit: 1}); lerr != nil || len(told) > 0 {
		return lerr
	}
	return err
}

// followLog answers a page and then every new entry, a line each, until the
// caller or the daemon goes away.
func (d *Daemon) followLog(r *http.Request, st *store.Store, out *reply, q store.LogQuery) error {
	ctx, cancel := d.until(r.Context())
	defer cancel()
	var page []store.LogEntry
	if q.After < 0 {
		shown := q.Limit
		q.Limit = max(shown, 1) // to know where the log ends
		var err error
		if page, err = st.Log(ctx, q); err != nil {
			return err
		}
		q.After = 0
		if n := len(page); n > 0 {
			q.After = page[n-1].ID
			page = page[n-min(shown, n):]
		}
	}
	q.Limit = logMaxPage
	out.w.Header().Set("Content-Type", ipc.ContentTypeStream)
	for lines := json.NewEncoder(out.w); ; {
		for _, v := range logViews(page) {
			if lines.Encode(v) != nil {
				return nil // gone
			}
		}
		if http.NewResponseController(out.w).Flush() != nil || sleep(ctx, logLook) != nil {
			return nil
		}
		var err error
		if page, err = st.Log(ctx, q); err != nil {
			d.cfg.Log.Warn("the log cannot be followed", "err", err)
			return nil
		}
		if n := len(page); n > 0 {
			q.After = page[n-1].ID
		}
	}
}

func logViews(entries []store.LogEntry) []ipc.LogEntry {
	views := make([]ipc.LogEntry, 0, len(entries))
	for _, e := range entries {
		v := ipc.LogEntry{ID: e.ID, At: e.At, Kind: e.Kind, Generation: e.Generation, UID: e.UID, Count: e.Count, Detail: e.Detail}
		if e.ROT != "" {
			v.ROT = rotRef(e.ROT)
		}
		if e.Passcard != "" {
			v.Passcard = passcardRef(e.Passcard)
		}
		views = append(views, v)
	}
	return views
}
