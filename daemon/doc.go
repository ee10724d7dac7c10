// Package daemon is the service: it owns the state, the browser and the timer,
// and answers the API of package ipc.
//
// daemon.go starts and stops it, api.go is the table of paths and who may call
// them, access.go the door, reader.go says who gets a value, credential.go is the
// door for systemd; fair.go and conns.go keep a crowd from shutting others out.
// What a path does stands in read.go, connect.go, rotations.go, revoke.go,
// grants.go and their like; schedule.go is the timer, due.go what it looks for and
// alarm.go what wakes it; log.go keeps and shows the log; accounts.go puts an npm account together from
// what the store keeps, by either way, and sessions.go looks after those of the
// website way; rest.go has it rest while nothing happens.
//
// It promises that one passcard is worked on by one run at a time, that a
// rotation once begun is not cut off because its caller went away, and that a
// stop waits for what is running to reach a step it can be taken up from.
package daemon
