package ipc

// Code names what went wrong, for scripts. The set is closed: Codes lists it.
type Code string

// The codes, by the exit status that rot gives them.
const (
	// 1, failed.
	CodeBusy             Code = "busy"                // the passcard is being used by another run
	CodeInternal         Code = "internal"            // a fault of rotd itself
	CodeWrongPassword    Code = "wrong_password"      // npm refused user name and password
	CodeWrongCode        Code = "wrong_code"          // npm refused the one-time code, or the security key
	CodeSessionExpired   Code = "session_expired"     // signed out, and not signed in again
	CodeUnreachable      Code = "unreachable"         // no answer from the registry
	CodeRateLimited      Code = "rate_limited"        // 429
	CodeRegistryError    Code = "registry_error"      // 5xx
	CodeRefused          Code = "refused"             // any other 4xx of the registry
	CodeGarbled          Code = "garbled"             // an answer that is not what npm's API answers
	CodeUnconfirmed      Code = "unconfirmed"         // npm says that a token is deleted, and it is not yet
	CodeTokenMismatch    Code = "token_mismatch"      // npm made a token that is not what was asked for
	CodeBrowserNotFound  Code = "browser_not_found"   // no Chromium
	CodeBrowserFailed    Code = "browser_failed"      // it did not start, or ended
	CodePageUnrecognised Code = "page_not_recognised" // a page that rotd does not know
	CodeKeyringLocked    Code = "keyring_locked"      // the master key is behind a locked keyring
	CodeNoValue          Code = "no_value"            // the ROT has no value to serve
	CodeCancelled        Code = "cancelled"           // the daemon is stopping, or the caller went away
	CodeBadFile          Code = "bad_file"            // a file of rot export that does not open, or is damaged
	CodeStorage          Code = "storage"             // the database cannot be written or read

	CodeLocal Code = "local" // rot's own: a file or a program on its side

	// 2, usage.
	CodeBadRequest    Code = "bad_request"    // a request that makes no sense
	CodeShapeRequired Code = "shape_required" // the first rotation must say what the token is for

	// 3, rot's own: no daemon behind the socket.
	CodeNoDaemon Code = "no_daemon"

	// 4, no such reference.
	CodeNotFound  Code = "not_found"
	CodeAmbiguous Code = "ambiguous" // a prefix or name that fits several

	// 5, not allowed.
	CodeNotAllowed Code = "not_allowed"

	// 6, a person is needed.
	CodeNeedsApproval Code = "needs_approval" // a second factor or password that is not stored
	CodeNeedsSignIn   Code = "needs_sign_in"  // npm's session has ended, and what is stored does not renew it
	CodeBotCheck      Code = "bot_check"      // npm wants to see that a person is there
)

// The exit statuses of rot.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitUnreachable = 3 // no daemon behind the socket
	ExitNotFound    = 4
	ExitNotAllowed  = 5
	ExitPerson      = 6
)

// codes is the one table of codes: the HTTP status that carries each and the
// exit status that rot ends with.
var codes = map[Code]struct{ HTTP, Exit int }{
	CodeBusy:             {409, ExitFailed},
	CodeInternal:         {500, ExitFailed},
	CodeWrongPassword:    {422, ExitFailed},
	CodeWrongCode:        {422, ExitFailed},
	CodeSessionExpired:   {422, ExitFailed},
	CodeUnreachable:      {502, ExitFailed},
	CodeRateLimited:      {503, ExitFailed},
	CodeRegistryError:    {502, ExitFailed},
	CodeRefused:          {422, ExitFailed},
	CodeGarbled:          {502, ExitFailed},
	CodeUnconfirmed:      {502, ExitFailed},
	CodeTokenMismatch:    {502, ExitFailed},
	CodeBrowserNotFound:  {500, ExitFailed},
	CodeBrowserFailed:    {500, ExitFailed},
	CodePageUnrecognised: {502, ExitFailed},
	CodeKeyringLocked:    {503, ExitFailed},
	CodeNoValue:          {409, ExitFailed},
	CodeCancelled:        {503, ExitFailed},
	CodeBadFile:          {422, ExitFailed},
	CodeStorage:          {500, ExitFailed},
	CodeLocal:            {500, ExitFailed},
	CodeBadRequest:       {400, ExitUsage},
	CodeShapeRequired:    {422, ExitUsage},
	CodeNoDaemon:         {503, ExitUnreachable},
	CodeNotFound:         {404, ExitNotFound},
	CodeAmbiguous:        {409, ExitNotFound},
	CodeNotAllowed:       {403, ExitNotAllowed},
	CodeNeedsApproval:    {409, ExitPerson},
	CodeNeedsSignIn:      {409, ExitPerson},
	CodeBotCheck:         {409, ExitPerson},
}

// HTTPStatus is the status that carries c over the socket; 500 for a code that
// is not in the table.
func (c Code) HTTPStatus() int {
	if e, ok := codes[c]; ok {
		return e.HTTP
	}
	return 500
}

// Exit is the status that rot ends with; ExitFailed for a code that this
// version does not know.
func (c Code) Exit() int {
	if e, ok := codes[c]; ok {
		return e.Exit
	}
	return ExitFailed
}

// Error is the one shape of an error on the wire. Message says what was being
// done and what went wrong, Hint what to do now. Neither ever holds a secret.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// RetryAfter is in seconds; 0 where nobody named a time.
	RetryAfter int `json:"retry_after,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// ErrorBody is the body of every answer that is not a success.
type ErrorBody struct {
	Error *Error `json:"error"`
}
