package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// tick is how often a page is looked at while something is waited for.
const tick = 30 * time.Millisecond

// Page is the browser's one tab, or one of a window's.
type Page struct {
	b       *Browser
	target  *chromedp.Target
	alive   context.Context // ends when the tab crashes, and with the browser
	die     context.CancelFunc
	persons bool // it is a window's: its dialogs are answered there

	patience time.Duration // how long a control is waited for

	tab   target.ID          // of a window's, which can be let go of
	letGo context.CancelFunc // of it; nil: it is not attached
	steps []string           // what was done, for a report

	authenticator string // of AddPasskey and NewPasskey
	passkey       []byte // its credential's id
	signCount     int64

	mu       sync.Mutex
	made     madePasskey
	requests map[network.RequestID]request // on their way
	host     string                        // of the last document
	answer   Answer
	agreeTo  func(question string) bool // nil: to none
}

// Answer is what the page's server said last: to a request for the page
// itself, or to one by which a script of the page sent something there.
type Answer struct {
	N        int    // counts the answers, from 1; 0: none yet
	Document bool   // it is for the page itself
	Status   int    // 0: no answer came
	Failure  string // why not, in Chromium's words, such as net::ERR_CONNECTION_REFUSED
	Header   http.Header
}

type request struct {
	host     string
	document bool
}

// attach starts the browser behind ctx and takes its first tab.
func (p *Page) attach(ctx context.Context) error {
	if err := p.take(ctx); err != nil {
		return err
	}
	context.AfterFunc(ctx, p.die)
	return p.b.denyDownloads(ctx)
}

// take attaches to the tab of ctx.
func (p *Page) take(ctx context.Context) error {
	if err := chromedp.Do(ctx); err != nil {
		return err
	}
	c := chromedp.FromContext(ctx)
	p.mu.Lock()
	p.target = c.Target // observe runs already
	p.mu.Unlock()
	if p.persons {
		return nil
	}
	// A page in a window behind others is typed into all the same.
	_, err := cdp.Call(ctx, c.Target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return err
}

// observe sees every event of the tab. It must not block.
func (p *Page) observe(event any) {
	switch ev := event.(type) {
	case *inspector.EventTargetCrashed:
		p.die()
	case *webauthn.EventCredentialAdded:
		p.keyAdded(ev.Credential)
	case *webauthn.EventCredentialAsserted:
		p.keyUsed(ev.Credential)
	case *page.EventJavascriptDialogOpening:
		if p.persons {
			return
		}
		// Nobody is there to answer, and the page stands still until then.
		agreed := p.agrees(ev)
		go func() {
			_, _ = cdp.Call(p.alive, p.target, page.HandleJavaScriptDialog,
				page.HandleJavaScriptDialogParams{Accept: agreed})
		}()
	case *network.EventRequestWillBeSent:
		p.sent(ev)
	case *network.EventResponseReceived:
		header := make(http.Header)
		for k, v := range ev.Response.Headers {
			header.Set(k, fmt.Sprint(v))
		}
		p.answered(ev.RequestID, Answer{Status: int(ev.Response.Status), Header: header})
	case *network.EventLoadingFailed: // also after a response that was cut off
		if !ev.Canceled {
			p.answered(ev.RequestID, Answer{Failure: ev.ErrorText})
		}
		p.ended(ev.RequestID)
	case *network.EventLoadingFinished:
		p.ended(ev.RequestID)
	}
}

// sent notes a request whose answer matters: one for the page itself, not for
// a frame in it, or one by which a script sends something.
func (p *Page) sent(ev *network.EventRequestWillBeSent) {
	u, err := url.Parse(ev.Request.URL)
	document := ev.Type == network.ResourceTypeDocument
	script := (ev.Type == network.ResourceTypeXHR || ev.Type == network.ResourceTypeFetch) && ev.Request.Method != http.MethodGet
	if err != nil || !document && !script {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.target == nil || string(ev.FrameID) != string(p.target.TargetID) {
		return
	}
	if p.requests == nil {
		p.requests = make(map[network.RequestID]request)
	}
	p.requests[ev.RequestID] = request{host: u.Host, document: document}
}

func (p *Page) answered(id network.RequestID, a Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.requests[id]
	switch {
	case !ok:
		return
	case r.document:
		p.host = r.host
	case r.host != p.host:
		return // somebody else's server
	}
	a.N, a.Document = p.answer.N+1, r.document
	p.answer = a
	if p.made.told == nil {
		p.made.told = &a
	}
}

func (p *Page) ended(id network.RequestID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.requests, id)
}

// Answer is the last answer of a server to this page.
func (p *Page) Answer() Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer
}

// do runs f, which talks to the tab, under a context that ends with the tab
// too.
func (p *Page) do(ctx context.Context, what string, f func(ctx context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.alive, cancel)()
	return p.b.failure(ctx, p.alive, what, f(inner))
}

// Open goes to an address and returns when the page is read, whatever its
// status. A server that does not answer is an *Error of kind ErrLoad.
func (p *Page) Open(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("open a page: the address is not a URL") // not err: it quotes the address
	}
	what := "open a page of " + u.Host
	p.Note("open " + u.Host + u.Path)
	before := p.Answer().N
	return p.do(ctx, what, func(ctx context.Context) error {
		res, err := cdp.Call(ctx, p.target, page.Navigate, page.NavigateParams{URL: address})
		if err == nil && res.ErrorText != "" {
			return &Error{Kind: ErrLoad, Message: what + ": " + res.ErrorText}
		}
		if err != nil {
			return err
		}
		return p.WaitFor(ctx, func(ctx context.Context) (read bool, err error) {
			if a := p.Answer(); a.N > before && a.Failure != "" {
				return false, &Error{Kind: ErrLoad, Message: what + ": " + a.Failure}
			}
			err = p.Read(ctx, `document.readyState !== "loading"`, &read)
			return read, err
		})
	})
}

// Reload loads the page again.
func (p *Page) Reload(ctx context.Context) error {
	return p.do(ctx, "reload the page", func(ctx context.Context) error {
		_, err := cdp.Call(ctx, p.target, page.Reload, page.ReloadParams{})
		return err
	})
}

// URL is the page's address.
func (p *Page) URL(ctx context.Context) (string, error) { return p.text(ctx, "location.href") }

// Title is the page's title.
func (p *Page) Title(ctx context.Context) (string, error) { return p.text(ctx, "document.title") }

// Text is what there is to read on the page.
func (p *Page) Text(ctx context.Context) (string, error) {
	return p.text(ctx, `document.body ? document.body.innerText : ""`)
}

func (p *Page) text(ctx context.Context, expression string) (s string, err error) {
	return s, p.Read(ctx, expression, &s)
}

// Read evaluates an expression in the page, waits for it where it is a promise,
// and decodes its JSON into v.
func (p *Page) Read(ctx context.Context, expression string, v any) error {
	return p.do(ctx, "read the page", func(ctx context.Context) error {
		res, err := cdp.Call(ctx, p.target, runtime.Evaluate,
			runtime.EvaluateParams{Expression: expression, ReturnByValue: new(true), AwaitPromise: new(true)})
		switch {
		case err != nil:
			return err
		case res.ExceptionDetails != nil:
			return errors.New("an exception in the page") // whose text is the page's
		}
		return json.Unmarshal(res.Result.Value, v)
	})
}

// WaitFor looks at the page until check says that it is done or fails, or
// until ctx ends. A check that falls into the moment at which the page changes
// is made again.
func (p *Page) WaitFor(ctx context.Context, check func(ctx context.Context) (done bool, err error)) error {
	return p.do(ctx, "wait for the page", func(ctx context.Context) error {
		for {
			done, err := check(ctx)
			if done || err != nil && !passing(err) {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(tick):
			}
		}
	})
}

// passing reports whether err is Chromium's refusal of a single command, as it
// comes when the page changes under it. Such a command is worth trying again.
func passing(err error) bool {
	var refusal *cdproto.Error
	return errors.As(err, &refusal)
}
