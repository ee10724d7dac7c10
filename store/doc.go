// Package store keeps what rotd must not forget: passcards, ROTs and the
// generations that are the journal of their rotations, in one SQLite database.
//
// What it promises:
//   - A method that changes something has it on the disk when it returns
//     (WAL with synchronous=FULL), as one transaction, or has changed nothing.
//   - Every secret is sealed under the master key for the one place where it
//     stands, and is never in plain text in the database, its WAL or anywhere
//     else on the disk. A secret that is forgotten is gone from the WAL too.
//   - Open never replaces a master key that sealed something, and refuses a
//     wrong key, a missing key or a newer database before it touches a byte.
//   - Reading writes nothing. What readers of values have looked up is kept in
//     memory, a value sealed as it is on the disk, until the next change: nobody
//     reads an older value after somebody has read a newer one.
//
// A Store is safe for concurrent use: writers take turns, readers do not wait.
// One process at a time may have it open; keeping a second one out is the
// daemon's task.
//
// It does not know npm, what the steps of a rotation do, or who may read what.
// It does not protect a running process's memory, and whoever has both the
// database and the master key has everything.
package store
