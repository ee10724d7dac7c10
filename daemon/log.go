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

// noteRead notes that the caller of r was given a value that he may read.
func (d *Daemon) noteRead(r *http.Request, may reading, generation int) {
	p, known := peerOf(r.Context())
	d.book.add(logKey{store.LogRead, may.rot, generation, p.UID, known, may.by, may.token}, d.cfg.Now(), 1)
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
