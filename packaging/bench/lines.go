package main

// suites are all that is measured, in 10 minutes together.
var suites = []suite{
	{"./packaging/bench", "Get|RotMemory", "300x"},
	{"./packaging/bench", "Rotation", "30x"},
	{"./packaging/bench", "Check|Website", "9x"},
	{"./packaging/bench", "ManyUnderOneCheck", "3x"},
	{"./cmd", "GetBesieged", "200x"},
	{"./cmd", "AtRest", "3x"},
	{"./cmd", "Gets", "15x"},
	{"./cmd", "Start|TenThousand", "11x"},
	{"./cmd", "YearsLog", "21x"},
	{"./daemon", "GetHandler|ReadLog|Tick", "1s"},
}

// line is one of the table.
type line struct {
	label string
	bench string // whose metric it is: the package's last word, and the name
	value string // the metric
	by    string // the metric that it is divided by; empty: none
	unit  string // of what is printed
	goal  goal
}

// goal is what is to be reached. The zero goal is none.
type goal struct {
	sign  string // ≤ or ≥
	value float64
}

func most(v float64) goal  { return goal{"≤", v} }
func least(v float64) goal { return goal{"≥", v} }

// head is a line that only says what the next are about.
func head(label string) line { return line{label: label} }

const (
	getOf      = "bench Get"
	checkOf    = "bench Check"
	manyOf     = "bench ManyUnderOneCheck"
	rotationOf = "bench Rotation"
	getsOf     = "cmd Gets"
	restOf     = "cmd AtRest"
)

// lines are the table. The goals are those of the project's issue on speed.
var lines = []line{
	head("rot get, the whole process, rotd warm"),
	{"rot get", getOf, "rot-ms", "", "ms", goal{}},
	{"  beside git credential-cache get", getOf, "rot-ms", "git-credential-cache-ms", "ms", most(1)},
	{"  beside a Go program that prints a line", getOf, "rot-ms", "go-floor-ms", "ms", most(1.4)},
	{"  beside C, static, the same request", getOf, "rot-ms", "c-ms", "ms", most(3)},
	{"  beside curl --unix-socket", getOf, "rot-ms", "curl-ms", "ms", goal{}},
	{"  beside secret-tool lookup", getOf, "rot-ms", "secret-tool-ms", "ms", goal{}},
	{"  beside pass show", getOf, "rot-ms", "pass-ms", "ms", goal{}},
	{"  beside node -e 0", getOf, "rot-ms", "node-ms", "ms", goal{}},
	{"  while another user besieges rotd, p99", "cmd GetBesieged/by=another", "p99-ms", "", "ms", most(50)},
	{"  while its own user does, p99", "cmd GetBesieged/by=owner", "p99-ms", "", "ms", most(50)},
	{"bin/rot", "bench RotMemory", "file-MB", "", "MB", most(2.5)},
	{"  its memory at the peak", "bench RotMemory", "peak-RSS-MB", "", "MB", most(6)},

	head("rotd, serving"),
	{"values a second, 64 clients", getsOf, "10-ROTs-gets/s", "", "/s", least(30_000)},
	{"  p99 of their waits", getsOf, "10-ROTs-p99-ms", "", "ms", most(5)},
	{"  beside a bare handler of net/http's", getsOf, "10-ROTs-gets/s", "bare-gets/s", "/s", goal{}},
	{"  of 10 000 ROTs beside 10", getsOf, "10000-ROTs-gets/s", "10-ROTs-gets/s", "/s", least(0.9)},
	{"  with access tokens beside the owner's", getsOf, "access-token-gets/s", "10-ROTs-gets/s", "/s", least(0.8)},
	{"  of it the readings' place in the log", "daemon ReadLog", "log-ratio", "", "", most(0.1)},
	{"  allocations behind net/http", "daemon GetHandler/owner", "allocs/op", "", "", goal{}},
	{"at rest, 100 ROTs: memory", restOf, "RSS-MB", "", "MB", most(20)},
	{"  wake-ups a second", restOf, "wake-ups/s", "", "", goal{}},
	{"  more than a Go program that sleeps", restOf, "more-wake-ups/s", "", "", most(0)},
	{"  Chromiums and other children", restOf, "children", "", "", most(0)},
	{"10 000 ROTs: start to the first answer", "cmd Start/ROTs=10000", "p50-ms", "", "ms", most(100)},
	{"  rot ls", "cmd TenThousand/ls", "p50-ms", "", "ms", most(250)},
	{"  rot status", "cmd TenThousand/status", "p50-ms", "", "ms", most(300)},
	{"  one look of the timer", "daemon Tick/one-due", "tick-ms", "", "ms", most(10)},
	{"  the database", "cmd TenThousand/ls", "database-MB", "", "MB", most(40)},
	{"3 million readings: rot log's first page", "cmd YearsLog/first-page", "p50-ms", "", "ms", most(50)},

	head("rotd, rotating; npm is a sandbox without delay"),
	{"by the registry, with TOTP", rotationOf, "rot-ms", "", "ms", most(150)},
	{"  beside the same calls by curl", rotationOf, "rot-ms", "curl-ms", "ms", goal{}},
	{"with the check passed in a Chromium", checkOf, "rot-ms", "", "ms", most(2000)},
	{"  of it the browser's own start", checkOf, "browser-start-ms", "", "ms", goal{}},
	{"  beside bare chromedp that opens a page", checkOf, "rot-ms", "bare-chromedp-ms", "ms", goal{}},
	{"64 ROTs under one check beside one", manyOf, "64-ROTs-ms", "one-ms", "ms", most(4)},
	{"by the website's pages", "bench Website", "rot-ms", "", "ms", most(3500)},
}
