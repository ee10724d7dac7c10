package daemon

import (
	userdb "os/user"
	"slices"
	"strconv"
	"sync"
	"time"

	"rotd/store"
)

// account is a user of this machine, by its user database.
type account struct {
	name   string
	groups []uint32 // its primary one, too
}

// userCache is how long an answer of the user database is good for: what a
// change of it takes to reach the door.
const userCache = 5 * time.Second

// users asks the user database, and keeps its answers for a moment. The zero
// value is ready; a test brings its own look and now.
type users struct {
	look func(uid uint32) (account, bool) // nil: lookUp
	now  func() time.Time                 // nil: time.Now

	mu    sync.Mutex
	known map[uint32]knownUser
}

type knownUser struct {
	account
	ok bool
	at time.Time
}

// of is the user with this uid; false where there is none, or nobody can tell.
func (u *users) of(uid uint32) (account, bool) {
	look, now := u.look, u.now
	if look == nil {
		look = lookUp
	}
	if now == nil {
		now = time.Now
	}
	u.mu.Lock()
	k, cached := u.known[uid]
	u.mu.Unlock()
	if age := now().Sub(k.at); cached && age >= 0 && age < userCache {
		return k.account, k.ok
	}
	k = knownUser{at: now()}
	k.account, k.ok = look(uid) // it may take long, and others wait for other uids
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known == nil || len(u.known) > 1000 {
		u.known = make(map[uint32]knownUser)
	}
	u.known[uid] = k
	return k.account, k.ok
}

// lookUp asks the system.
func lookUp(uid uint32) (account, bool) {
	u, err := userdb.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return account{}, false
	}
	ids, err := u.GroupIds()
	if err != nil {
		return account{}, false
	}
	a := account{name: u.Username}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			a.groups = append(a.groups, uint32(n))
		}
	}
	return a, true
}

// anybodysID is the number, of users and of groups, that Linux shows for all that
// have none here: everybody of a container with users of its own. It is nobody's
// to be granted something.
const anybodysID = 65534

// subjects are what a caller can be granted something as: his uid, the group
// that he runs as, and those that the user database has him in.
func subjects(uid, gid uint32, a account) (who []store.Subject) {
	if uid != anybodysID {
		who = append(who, store.Subject{Kind: store.GrantUID, Name: number(uid)})
	}
	for _, g := range slices.Concat([]uint32{gid}, a.groups) {
		if g != anybodysID {
			who = append(who, store.Subject{Kind: store.GrantGID, Name: number(g)})
		}
	}
	return who
}

func number(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
