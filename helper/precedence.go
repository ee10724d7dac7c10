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

// Client is a package manager, in the versions that look alike.
type Client struct {
	Name  string
	Order []Place // the first that has a token wins
	Unset Unset
	// Exact: a key without the slash before :_authToken is not read.
	Exact bool
	// NoVariables: ${NAME} in a project's file is refused.
	NoVariables bool
	// Defaults: ${NAME-x} and ${NAME:-x} mean x where NAME is not set.
	Defaults bool
}

// Clients is what each package manager does, as seen with the real ones against
// a registry that tells what it was sent: client-facts 3.2. pnpm 10 installs so;
// it leaves publishing to npm.
var Clients = []Client{
	{Name: "npm", Order: []Place{NpmVariable, ProjectNpmrc, UserNpmrc, GlobalNpmrc}},
	{Name: "pnpm 10", Order: []Place{PnpmUserHelper, ProjectNpmrc, UserNpmrc, GlobalNpmrc}, Unset: SkipsIt, Exact: true, NoVariables: true, Defaults: true},
	{Name: "pnpm 11+", Order: []Place{PnpmAuthHelper, PnpmUserHelper, PnpmVariable, ProjectNpmrc, PnpmAuth, UserNpmrc}, Unset: SkipsIt, NoVariables: true, Defaults: true},
	{Name: "Yarn 1", Order: []Place{ProjectNpmrc, UserNpmrc, GlobalNpmrc}, Unset: FailsOn},
	{Name: "Yarn 2+", Order: []Place{RegistryYarnrc, YarnVariable, ProjectYarnrc, UserYarnrc}, Unset: FailsOn, Defaults: true},
	{Name: "Bun", Order: []Place{BunVariable, Bunfig, ProjectNpmrc, UserNpmrc}},
}
