package main

import (
	"context"

	"rotd/store"
)

var rekeyCommand = command{
	name: "rekey",
	line: "change the master key, or its place",
	run:  runRekey,
	help: `Usage: rotd rekey [flags]

Makes a new master key, seals everything anew under it, and removes the old one,
while rotd does not run. If it is cut off, the state opens as before or with the
new key; run it again. With --to the new key is kept in another place.

Backups that were made before stay sealed with the old key. A key file belongs
to one state: another state that uses it too cannot be opened afterwards.

Examples:
  rotd stop; rotd rekey; rotd start
  rotd rekey --key file:$HOME/.rotd.key
  rotd rekey --key keyring --to file:$HOME/.rotd.key     from there to here

Flags:
  --key WHERE    where the key is (default: keyring; as rotd run)
  --to WHERE     where the new one will be (default: where the old one is)
  --state-dir D  where the database is (default: as rotd run)
`,
}

func runRekey(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	key, to, dir := fs.String("key", "keyring", ""), fs.String("to", "", ""), fs.String("state-dir", "", "")
	if err := c.parse(fs, args, 0); err != nil {
		return err
	}
	from, err := keySource("--key", *key)
	if err != nil {
		return err
	}
	place := from
	if *to != "" {
		if place, err = keySource("--to", *to); err != nil {
			return err
		}
	}
	state, unlock, err := holdState(*dir)
	if err != nil {
		return err
	}
	defer unlock()
	removed, err := store.Rekey(ctx, state, from, place, store.Options{})
	if err != nil {
		return err
	}
	c.printf("✔ everything is sealed under a new key: %s\n", place)
	if !removed {
		c.printf("rotd cannot remove the old one: remove %s yourself\n", from)
	}
	if from.String() != place.String() {
		c.printf("⮕ next: start rotd with --key %s (a service: rotd install --key %[1]s)\n", place)
	}
	return nil
}
