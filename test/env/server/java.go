package server

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Java is an installed Java runtime.
type Java struct {
	Home  string // the folder that has bin/java
	Major int    // 17, 21, 25 …
}

// Command is the path of the java program.
func (j Java) Command() string { return filepath.Join(j.Home, "bin", "java") }

// minJava is what Kafka 4.1 servers need.
const minJava = 17

var versionLine = regexp.MustCompile(`(?m)^JAVA_VERSION="(\d+)`)

// FindJava returns the Java runtime to use: that of JAVA_HOME, or else the newest on PATH and under /usr/lib/jvm, which
// starts Kafka in about half the time of JDK 17.
func FindJava() (Java, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java, err := inspectJava(home)
		if err == nil && java.Major < minJava {
			err = fmt.Errorf("version %d, and Kafka needs %d", java.Major, minJava)
		}
		if err != nil {
			return Java{}, fmt.Errorf("the Java runtime of JAVA_HOME (%s) cannot be used: %w", home, err)
		}
		return java, nil
	}
	homes, _ := filepath.Glob("/usr/lib/jvm/*")
	if onPath, err := exec.LookPath("java"); err == nil {
		if target, err := filepath.EvalSymlinks(onPath); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(target)))
		}
	}

	var found []Java
	for _, home := range homes {
		if java, err := inspectJava(home); err == nil && java.Major >= minJava {
			found = append(found, java)
		}
	}
	if len(found) == 0 {
		return Java{}, errors.New("no Java runtime of version 17 or newer found in JAVA_HOME, PATH or /usr/lib/jvm; " +
			"the tests start a real Kafka and need one (Debian: apt-get install openjdk-17-jdk-headless maven)")
	}
	return slices.MaxFunc(found, func(a, b Java) int { return cmp.Compare(a.Major, b.Major) }), nil
}

// inspectJava reads the version from the runtime's release file, which every JDK has since Java 9.
func inspectJava(home string) (Java, error) {
	release, err := os.ReadFile(filepath.Join(home, "release"))
	if err != nil {
		return Java{}, err
	}
	match := versionLine.FindSubmatch(release)
	if match == nil {
		return Java{}, fmt.Errorf("%s/release names no version", home)
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return Java{}, err
	}
	java := Java{Home: home, Major: major}
	_, err = os.Stat(java.Command())
	return java, err
}
