package helper

// Place is where a package manager looks for the token of a registry.
type Place int

// The places. A key is //HOST/PATH/:_authToken.
const (
	NpmVariable    Place = iota // npm_config_ and the key, in the environment
	PnpmVariable                // that, or pnpm_config_ and the key
	YarnVariable                // YARN_NPM_AUTH_TOKEN
	BunVariable                 // BUN_CONFIG_TOKEN, else NPM_CONFIG_TOKEN: of the default registry alone
	ProjectNpmrc                // the project's .npmrc
	UserNpmrc                   // the file that NPM_CONFIG_USERCONFIG names, else ~/.npmrc
	GlobalNpmrc                 // that of the machine: PREFIX/etc/npmrc
	PnpmAuth                    // pnpm's own: ~/.config/pnpm/auth.ini
	PnpmUserHelper              // a program, by tokenHelper, in the user's file
	PnpmAuthHelper              // one in auth.ini
	ProjectYarnrc               // the project's .yarnrc.yml
	UserYarnrc                  // ~/.yarnrc.yml
	RegistryYarnrc              // npmRegistries in either, which takes the place of all else
	Bunfig                      // the project's bunfig.toml, then ~/.bunfig.toml
)

// Unset is what a client does with ${NAME} where NAME is not set.
type Unset int

// What they do.
const (
	SendsIt Unset = iota // takes the words "${NAME}" for the token
	SkipsIt              // goes on as if the line were not there
	FailsOn              // ends with an error
)

// Keys is by which keys a client finds the token of a registry.
type Keys int

// They are those of its address and of the paths above, with the slash before
// :_authToken and without.
const (
	AnyKey     Keys = iota // by all of them, the longest first
	SlashedKey             // by those with the slash
	OwnKey                 // by that of its whole address alone
	OwnToWrite             // by all to install; to publish, and to tell who one is, as OwnKey
)

// Client is a package manager, in the versions that look alike.
type Client struct {
	Name  string
	Order []Place // the first that has a token wins
	Unset Unset
	Keys  Keys
	// Raw: what a token helper prints is sent as it is: "Bearer " must be in it.
	Raw bool
	// NoVariables: ${NAME} in a project's file is refused.
	NoVariables bool
	// Defaults: ${NAME-x} and ${NAME:-x} mean x where NAME is not set.
	Defaults bool
}

// Clients is what each package manager does, as seen with the real ones: client-
// facts 3.2, and a test has them run (TestPrecedence in cmd). pnpm 10 installs so;
// it leaves publishing to npm.
var Clients = []Client{
	{Name: "npm", Order: []Place{NpmVariable, ProjectNpmrc, UserNpmrc, GlobalNpmrc}, Keys: OwnToWrite},
	{Name: "pnpm 10", Order: []Place{PnpmUserHelper, ProjectNpmrc, UserNpmrc, GlobalNpmrc}, Unset: SkipsIt, Keys: SlashedKey, Raw: true, NoVariables: true, Defaults: true},
	{Name: "pnpm 11+", Order: []Place{PnpmAuthHelper, PnpmUserHelper, PnpmVariable, ProjectNpmrc, PnpmAuth, UserNpmrc}, Unset: SkipsIt, NoVariables: true, Defaults: true},
	{Name: "Yarn 1", Order: []Place{ProjectNpmrc, UserNpmrc, GlobalNpmrc}, Unset: FailsOn, Keys: OwnKey},
	{Name: "Yarn 2+", Order: []Place{RegistryYarnrc, YarnVariable, ProjectYarnrc, UserYarnrc}, Unset: FailsOn, Defaults: true},
	{Name: "Bun", Order: []Place{BunVariable, Bunfig, ProjectNpmrc, UserNpmrc}},
}
