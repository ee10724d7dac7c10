package helper

import (
	"strings"

	"rotd/ipc/secret"
)

// accessTokenEnv and the flag --access-token-file say where the access token is
// that reading commands show. In argv it would show up in ps.
const accessTokenEnv = "ROT_ACCESS_TOKEN"

// readFlags are flags of a command that reads a value.
func (c *call) readFlags() *flagSet {
	fs := c.flags()
	fs.StringVar(&c.accessFile, "access-token-file", "", "")
	return fs
}

// accessToken is the one to show; none is the common case.
func (c *call) accessToken() (t secret.Text, err error) {
	from, text := accessTokenEnv, c.Getenv(accessTokenEnv)
	if c.accessFile != "" {
		from = c.accessFile
		if text, err = c.readSecret("access-token-file", c.accessFile); err != nil {
			return t, err
		}
	}
	text = strings.TrimSpace(text)
	if c.accessFile != "" && text == "" || strings.Trim(text, accessCharacters) != "" {
		return t, local("it begins with rat_; rot grant REF --access-token NAME makes one", "what is in %s is no access token", from)
	}
	return secret.New(text), nil
}

const accessCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
