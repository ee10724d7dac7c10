package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rotd/ipc"
)

// etcdCluster is three nodes of etcd on loopback: what a fleet of runners reads
// its token from.
type etcdCluster struct {
	t     *testing.T
	nodes [3]etcdNode
	peers string // --initial-cluster
}

type etcdNode struct {
	name, dir, client, peer string
	cmd                     *exec.Cmd // nil: not running
}

func newEtcd(t *testing.T) *etcdCluster {
	t.Helper()
	for program, pkg := range map[string]string{"etcd": "etcd-server", "etcdctl": "etcd-client"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not installed: install %s, or run .ci/tools.sh test", program, pkg)
		}
	}
	c := &etcdCluster{t: t}
	var peers []string
	urls := freeURLs(t, 6)
	for i := range c.nodes {
		c.nodes[i] = etcdNode{name: fmt.Sprintf("n%d", i), dir: filepath.Join(t.TempDir(), "data"), client: urls[2*i], peer: urls[2*i+1]}
		peers = append(peers, c.nodes[i].name+"="+urls[2*i+1])
	}
	c.peers = strings.Join(peers, ",")
	t.Cleanup(func() {
		for i := range c.nodes {
			c.kill(i)
		}
	})
	for i := range c.nodes {
		c.start(i)
	}
	c.await(0, 1, 2)
	return c
}

// freeURLs are addresses that nothing listens on.
func freeURLs(t *testing.T, n int) (urls []string) {
	t.Helper()
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close() // only when all are chosen
		urls = append(urls, "http://"+ln.Addr().String())
	}
	return urls
}

func (c *etcdCluster) start(i int) {
	c.t.Helper()
	n := &c.nodes[i]
	n.cmd = exec.Command("etcd", "--name", n.name, "--data-dir", n.dir,
		"--listen-client-urls", n.client, "--advertise-client-urls", n.client,
		"--listen-peer-urls", n.peer, "--initial-advertise-peer-urls", n.peer,
		"--initial-cluster", c.peers, "--log-level", "error")
	if err := n.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

// kill ends a node as a power cut does.
func (c *etcdCluster) kill(i int) {
	if n := &c.nodes[i]; n.cmd != nil {
		_ = n.cmd.Process.Signal(syscall.SIGKILL)
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// await waits until these nodes answer.
func (c *etcdCluster) await(nodes ...int) {
	c.t.Helper()
	for _, i := range nodes {
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if exec.Command("etcdctl", "--endpoints", c.nodes[i].client, "--command-timeout=1s", "endpoint", "health").Run() == nil {
				break
			}
			if time.Now().After(deadline) {
				c.t.Fatalf("node %d does not come up", i)
			}
		}
	}
}

// command is the delivery: the value comes on standard input, so it is not an
// argument.
func (c *etcdCluster) command() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.client)
	}
	return []string{"etcdctl", "--endpoints", strings.Join(all, ","), "--command-timeout=5s", "put", "rotd/npm-token"}
}

// read is what a runner gets from one node.
func (c *etcdCluster) read(i int) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "etcdctl", "--endpoints", c.nodes[i].client, "get", "rotd/npm-token", "--print-value-only")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("read from node %d: %v", i, err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// TestAFleetReadsTheTokenFromEtcd rotates with every node up, with one killed in
// the middle of the rotation, and with too few nodes to take a value. Whatever a
// runner reads, npm accepts.
func TestAFleetReadsTheTokenFromEtcd(t *testing.T) {
	c := newEtcd(t)
	r := newRig(t)
	_, rot := r.first()
	if d := r.deliverBy(rot, "fleet", c.command()...); d.State != ipc.DeliveryOK || d.Output != "OK\n" {
		t.Fatalf("the first delivery: %+v", d)
	}
	for i := range c.nodes {
		if c.read(i) != r.token(rot).Value.Reveal() {
			t.Errorf("node %d has another value", i)
		}
	}

	// One node dies while the new token is being made. etcdctl finds the others.
	killed := make(chan struct{})
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"slow","delay_ms":300}]}`)
	go func() { defer close(killed); c.kill(0) }()
	done := r.rotate(rot, ipc.Rotate{})
	<-killed
	r.await("the delivery to the two that are left", func() bool {
		r.advance(time.Minute) // the try may have met the election of a new leader
		return r.rot(rot).Retiring == 0 && r.rot(rot).Deliveries[0].State == ipc.DeliveryOK
	})
	for _, i := range []int{1, 2} {
		if got := c.read(i); got != r.token(rot).Value.Reveal() || done.Generation != 2 {
			t.Errorf("with a node dead: node %d has another value", i)
		}
	}

	// Two are dead: no value can be put, and the fleet's token must stay good.
	c.kill(1)
	old := r.token(rot)
	done = r.rotate(rot, ipc.Rotate{})
	if done.RevokedOld || !slices.Equal(done.Undelivered, []string{"fleet"}) || !r.accepts(old) {
		t.Fatalf("without a quorum: %+v", done)
	}
	if d := r.rot(rot).Deliveries[0]; d.State != ipc.DeliveryFailing || d.Error == "" || d.Output == "" {
		t.Errorf("status: %+v", d)
	}
	c.start(0)
	c.start(1)
	c.await(0, 1, 2)
	if c.read(2) != old.Value.Reveal() && c.read(2) != r.token(rot).Value.Reveal() {
		t.Error("the fleet reads something else")
	}
	r.await("the delivery to all", func() bool {
		r.advance(time.Minute)
		return r.rot(rot).Retiring == 0
	})
	for i := range c.nodes {
		if c.read(i) != r.token(rot).Value.Reveal() {
			t.Errorf("healed: node %d has another value", i)
		}
	}
	if r.accepts(old) {
		t.Error("the old token is accepted")
	}
}
