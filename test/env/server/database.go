package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

const (
	installTimeout  = 5 * time.Minute
	databaseTimeout = 60 * time.Second
)

// installPackages installs Debian packages whose program is missing. No daemon is started by the packages: policy-rc.d
// forbids it while they are installed.
func installPackages(ctx context.Context, packages ...string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the packages %s are missing; install them as root (apt-get install %s)", packages, strings.Join(packages, " "))
	}
	_, unlock, err := Cache("apt")
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(os.Stderr, "test/env: installing %s (once)\n", strings.Join(packages, " "))
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	const script = `set -e
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
mkdir -p /etc/postgresql-common
grep -q create_main_cluster /etc/postgresql-common/createcluster.conf 2>/dev/null || echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
apt-get update -qq
apt-get install -qq -y --no-install-recommends "$@"`
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script, "install"}, packages...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s: %w\n%s", packages, err, out)
	}
	return nil
}

// asUser is what to put before a command to run it as a user: database servers refuse to be root. Nothing when we are not
// root ourselves.
func asUser(name string) []string {
	if os.Geteuid() != 0 {
		return nil
	}
	return []string{"setpriv", "--reuid=" + name, "--regid=" + name, "--clear-groups"}
}

// ownedDir makes a folder that belongs to a user.
func ownedDir(pattern, owner string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil || os.Geteuid() != 0 {
		return dir, err
	}
	u, err := user.Lookup(owner)
	if err != nil {
		return dir, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return dir, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return dir, err
	}
	return dir, os.Chown(dir, uid, gid)
}
