package daemon

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"rotd/ipc"
	"rotd/store"
)

// route is one path of the API.
type route struct {
	method, path string
	need         access
	// serve has no Store when the route says that it can do without.
	serve      func(*Daemon, *http.Request, *store.Store, *reply) error
	body       int64 // the most bytes of a request's body; 0: maxBody
	evenLocked bool  // answers while the keyring is locked; the Store may be nil
}

// routes is the whole API. A test walks it.
var routes = []route{
	{method: "GET", path: ipc.PathVersion, need: accessAnyone, serve: (*Daemon).getVersion, evenLocked: true},
	{method: "GET", path: ipc.PathStatus, need: accessOwner, serve: (*Daemon).getStatus, evenLocked: true},
	{method: "GET", path: ipc.PathDoctor, need: accessOwner, serve: (*Daemon).getDoctor, evenLocked: true},
	{method: "GET", path: ipc.PathPasscards, need: accessOwner, serve: (*Daemon).getPasscards},
	{method: "POST", path: ipc.PathPasscards, need: accessOwner, serve: (*Daemon).postPasscard},
	{method: "GET", path: ipc.PathROTs, need: accessOwner, serve: (*Daemon).getROTs},
	{method: "GET", path: ipc.PathStaged, need: accessOwner, serve: (*Daemon).getStaged},
	{method: "GET", path: ipc.PathToken, need: accessReader, serve: (*Daemon).getToken},
	{method: "POST", path: ipc.PathRotate, need: accessOwner, serve: (*Daemon).postRotation},
	{method: "POST", path: ipc.PathApprove, need: accessOwner, serve: (*Daemon).postApproval},
	{method: "POST", path: ipc.PathRevoke, need: accessOwner, serve: (*Daemon).postRevocation},
	{method: "POST", path: ipc.PathRemove, need: accessOwner, serve: (*Daemon).postRemoval},
	{method: "GET", path: ipc.PathLog, need: accessOwner, serve: (*Daemon).getLog},
	{method: "GET", path: ipc.PathSchedule, need: accessOwner, serve: (*Daemon).getSchedule},
	{method: "PUT", path: ipc.PathSchedule, need: accessOwner, serve: (*Daemon).putSchedule},
	{method: "GET", path: ipc.PathDeliver, need: accessOwner, serve: (*Daemon).getDeliveries},
	{method: "POST", path: ipc.PathDeliver, need: accessOwner, serve: (*Daemon).postDelivery},
	{method: "DELETE", path: ipc.PathDelivery, need: accessOwner, serve: (*Daemon).deleteDelivery},
	{method: "GET", path: ipc.PathGrants, need: accessOwner, serve: (*Daemon).getGrants},
	{method: "POST", path: ipc.PathGrants, need: accessOwner, serve: (*Daemon).postGrant},
	{method: "DELETE", path: ipc.PathGrant, need: accessOwner, serve: (*Daemon).deleteGrant},
	{method: "POST", path: ipc.PathPasskey, need: accessOwner, serve: (*Daemon).postPasskey},
	{method: "DELETE", path: ipc.PathPasskey, need: accessOwner, serve: (*Daemon).deletePasskey},
	{method: "POST", path: ipc.PathExport, need: accessOwner, serve: (*Daemon).postExport},
	{method: "POST", path: ipc.PathImport, need: accessOwner, serve: (*Daemon).postImport, body: maxImport},
	{method: "POST", path: ipc.PathStrays, need: accessOwner, serve: (*Daemon).postStray},
	{method: "POST", path: ipc.PathStrayRevoke, need: accessOwner, serve: (*Daemon).postStrayRevocation},
	{method: "POST", path: ipc.PathAnswer, need: accessOwner, serve: (*Daemon).postAnswer},
}

func (d *Daemon) handler() http.Handler {
	d.looking, d.visitors = newTurns(lookersAtOnce), newTurns(visitorsAtOnce)
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.method+" "+rt.path, d.guard(rt))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		takeTime(w, r)
		(&reply{w: w}).fail(&ipc.Error{
			Code:    ipc.CodeNotFound,
			Message: "the API has no " + r.Method + " " + r.URL.Path,
			Hint:    "GET " + ipc.PathVersion + " tells the version of the daemon",
		})
	})
	return mux
}

// guard is what every request passes before its handler.
func (d *Daemon) guard(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d.stir()
		out := &reply{w: w}
		takeTime(w, r)
		if fromBrowser(r) {
			d.noteRefusal(r, "", rt.path, ", by way of a web browser", errBrowser)
			out.fail(errBrowser)
			return
		}
		if err := admit(r, rt.need); err != nil {
			d.noteRefusal(r, "", rt.path, "", err)
			out.fail(err)
			return
		}
		st := d.store.Load()
		if st == nil && !rt.evenLocked {
			out.fail(errLocked)
			return
		}
		if rt.need == accessReader {
			may, err := d.mayRead(r, st, rt.path)
			if err != nil {
				d.failRequest(rt.path, out, err)
				return
			}
			out.may = may
		}
		if err := takeBody(w, r, cmp.Or(rt.body, maxBody)); err != nil {
			d.failRequest(rt.path, out, err)
			return
		}
		leave, err := d.makeRoom(r, rt)
		if err != nil {
			d.failRequest(rt.path, out, err)
			return
		}
		defer leave()
		if err := rt.serve(d, r, st, out); err != nil {
			d.failRequest(rt.path, out, err)
		}
	}
}

// makeRoom lets a request in among the others, until leave is called.
func (d *Daemon) makeRoom(r *http.Request, rt route) (leave func(), err error) {
	switch {
	case takesLong(r):
		done, err := d.streams.add(r, streamsPerUID, "long requests running")
		if err != nil {
			return nil, err
		}
		stirred := d.takesAWhile()
		return func() { stirred(); done() }, nil
	case rt.need == accessReader:
		return func() {}, nil
	}
	return d.looking.take(r)
}

func (d *Daemon) failRequest(path string, out *reply, err error) {
	werr := toWire(err)
	if werr.Code == ipc.CodeInternal {
		d.cfg.Log.Error("request failed", "path", path, "err", err)
	}
	out.fail(werr)
}

var errBrowser = &ipc.Error{
	Code:    ipc.CodeNotAllowed,
	Message: "requests that come by way of a web browser are refused",
	Hint:    "send no Origin and no Referer, and the host rotd or localhost",
}

var errLocked = &ipc.Error{
	Code:    ipc.CodeKeyringLocked,
	Message: "the OS keyring that holds rotd's master key is locked",
	Hint:    "unlock it (signing in to the desktop does); rotd notices within seconds",
}

// reply writes an answer. An error after a stream has begun becomes its last
// line.
type reply struct {
	w      http.ResponseWriter
	stream *stream
	may    reading // what the door has found, of a path for readers
}

func (o *reply) json(v any) error {
	o.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(o.w).Encode(v)
}

// token is json for what is asked for most.
func (o *reply) token(t ipc.Token) error {
	o.w.Header().Set("Content-Type", "application/json")
	_, err := o.w.Write(append(t.AppendJSON(make([]byte, 0, 256)), '\n'))
	return err
}

func (o *reply) noContent() error {
	o.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (o *reply) fail(err *ipc.Error) {
	if o.stream != nil {
		o.stream.send(ipc.Event{Error: err})
		return
	}
	o.w.Header().Set("Content-Type", "application/json")
	o.w.WriteHeader(err.Code.HTTPStatus())
	_ = json.NewEncoder(o.w).Encode(ipc.ErrorBody{Error: err})
}

// readBody decodes the request's body, strictly: a misspelt field is an error
// and not a default.
func readBody(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil && dec.More() {
		err = errors.New("more than one JSON value")
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	if err != nil {
		return badRequest("the request's body cannot be read: "+err.Error(), "it is a JSON object; the README lists the fields")
	}
	return nil
}

func badRequest(message, hint string) error {
	return &ipc.Error{Code: ipc.CodeBadRequest, Message: message, Hint: hint}
}
