package sandbox

import "net/http"

// routes is all of npm that the sandbox plays, at a glance.
func (s *Sandbox) routes() *http.ServeMux {
	mux := http.NewServeMux()

	// The registry: signing in (B.3, B.4, B.9).
	mux.HandleFunc("POST /-/v1/login", s.postWebLogin)
	mux.HandleFunc("GET /-/v1/done", s.getDone)
	mux.HandleFunc("GET /-/user/{user}", s.getCouchUser)
	mux.HandleFunc("PUT /-/user/{user}", s.putCouchUser)
	mux.HandleFunc("PUT /-/user/{user}/-rev/{rev}", s.putCouchUser)
	mux.HandleFunc("DELETE /-/user/token/{token}", s.logoutToken)
	mux.HandleFunc("GET /-/whoami", s.getWhoami)
	mux.HandleFunc("GET /-/npm/v1/user", s.getProfile)
	mux.HandleFunc("POST /-/npm/v1/user", s.postProfile)

	// The registry: tokens (B.5 to B.8).
	mux.HandleFunc("POST /-/npm/v1/tokens", s.createToken)
	mux.HandleFunc("GET /-/npm/v1/tokens", s.listTokens)
	mux.HandleFunc("DELETE /-/npm/v1/tokens/token/{token}", s.deleteToken)

	// The registry: packages.
	mux.HandleFunc("GET /-/ping", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, struct{}{}) })
	mux.HandleFunc("GET /-/package/{name}/dist-tags", s.getDistTags)
	mux.HandleFunc("PUT /-/package/{name}/dist-tags/{tag}", s.putDistTag)
	mux.HandleFunc("DELETE /-/package/{name}/dist-tags/{tag}", s.deleteDistTag)
	mux.HandleFunc("GET /-/stage", s.listStages)
	mux.HandleFunc("GET /-/stage/{id}", s.getStage)
	mux.HandleFunc("GET /-/stage/{id}/tarball", s.getStageTarball)
	mux.HandleFunc("DELETE /-/stage/{id}", s.rejectStage)
	// Two shapes that a ServeMux cannot tell apart: package/{name}, {id}/approve.
	mux.HandleFunc("POST /-/stage/{id}/{name}", s.postStageOrApprove)
	s.guardedRoutes(mux)
	mux.HandleFunc("GET /{path...}", s.getPackage)
	mux.HandleFunc("PUT /{path...}", s.putPackage)
	mux.HandleFunc("/", s.nothingHere)

	// The website (A.3, A.4).
	mux.HandleFunc("GET /{$}", s.landingPage)
	mux.HandleFunc("GET /static/{file}", staticFile)
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.postLogin)
	mux.HandleFunc("GET /login/otp", s.loginFactorPage(checkOTP))
	mux.HandleFunc("POST /login/otp", s.postLoginFactor(checkOTP))
	mux.HandleFunc("GET /login/email-otp", s.loginFactorPage(checkEmail))
	mux.HandleFunc("POST /login/email-otp", s.postLoginFactor(checkEmail))
	mux.HandleFunc("GET /login/{step}", s.loginStepPage)
	mux.HandleFunc("POST /login/{step}", s.postLoginStep)
	mux.HandleFunc("GET /logout", s.logoutPage)
	mux.HandleFunc("POST /logout", s.logoutPage)
	mux.HandleFunc("GET /login/cli/{id}", s.flowPage(flowLogin))
	mux.HandleFunc("GET /auth/cli/{id}", s.flowPage(flowOTP))
	mux.HandleFunc("GET /escalate/otp", s.escalatePage(checkOTP))
	mux.HandleFunc("POST /escalate/otp", s.postEscalate)
	mux.HandleFunc("GET /escalate/webauthn", s.escalatePage(checkWebAuthn))
	mux.HandleFunc("POST /escalate/webauthn", s.postEscalate)
	mux.HandleFunc("GET /escalate/password", s.escalatePage(checkPassword))
	mux.HandleFunc("POST /escalate/password", s.postEscalate)
	mux.HandleFunc("POST /escalate", s.postEscalate)
	s.settingsRoutes(mux)
	mux.HandleFunc("POST /cdn-cgi/challenge-platform", s.passChallenge)

	s.controlRoutes(mux)
	return mux
}
