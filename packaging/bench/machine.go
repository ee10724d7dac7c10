package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what the figures are of.
type machine struct {
	cpu, kernel, version string
	cores                int
	load                 float64 // of the last minute, before anything is measured
	day                  string
}

// calm is the load of each core up to which figures are of what is measured.
const calm = 0.5

func thisMachine() machine {
	m := machine{cpu: runtime.GOARCH, cores: runtime.NumCPU(), day: time.Now().UTC().Format(time.DateOnly)}
	m.cpu = cmp.Or(field("/proc/cpuinfo", "model name\t: "), m.cpu)
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.kernel = cmp.Or(strings.TrimSpace(string(kernel)), runtime.GOOS)
	version, _ := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	m.version = strings.TrimSpace(string(version))
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	m.load, _ = strconv.ParseFloat(first, 64)
	return m
}

// field is what follows a mark in a file, on that line.
func field(path, mark string) string {
	text, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(text), mark)
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}

func (m machine) busy() bool { return m.load > calm*float64(m.cores) }

func (m machine) loadText() string {
	return fmt.Sprintf("load %.2f, %d cores", m.load, m.cores)
}

func (m machine) text() string {
	return fmt.Sprintf("rotd %s, %s\n%s, %d cores, Linux %s, %s, load %.2f at the start\n", m.version, m.day, m.cpu, m.cores, m.kernel, runtime.Version(), m.load)
}
