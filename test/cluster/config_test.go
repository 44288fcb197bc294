//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// CNI parses its configuration as JSON, and it assigns addresses of the subnet that `down` searches for.
func TestCNIConfig(t *testing.T) {
	var config struct {
		Plugins []struct {
			Type string
			IPAM struct {
				DataDir string
				Ranges  [][]struct{ Subnet netip.Prefix }
			}
		}
	}
	if err := json.Unmarshal([]byte(cniConfig), &config); err != nil {
		t.Fatal(err)
	}
	ipam := config.Plugins[0].IPAM
	if subnet := ipam.Ranges[0][0].Subnet; !strings.HasPrefix(subnet.Addr().String(), podSubnetPrefix) || subnet.Bits() != 24 {
		t.Errorf("subnet %v is not that of %s", subnet, podSubnetPrefix)
	}
	if !strings.HasPrefix(ipam.DataDir, runDir+"/") {
		t.Errorf("addresses in use are noted in %s, which outlives the cluster", ipam.DataDir)
	}
}

// The components write to our directories only, which `down` removes.
func TestConfigPathsAreOurs(t *testing.T) {
	programs := []string{"/usr/lib/cni"} // read, not written
	for _, f := range configFiles() {
		for _, word := range strings.FieldsFunc(string(f.content), func(r rune) bool { return strings.ContainsRune("\"' \n,[]{}=", r) }) {
			path, isSocket := strings.CutPrefix(word, "unix://")
			if !isSocket && !strings.HasPrefix(path, "/") {
				continue
			}
			if !strings.HasPrefix(path, stateDir) && !strings.HasPrefix(path, runDir) && !slices.Contains(programs, path) {
				t.Errorf("%s uses %s", f.name, path)
			}
		}
	}
}

func TestAdminIsOfSystemMasters(t *testing.T) {
	tokens := newTokens()
	if line := tokens["admin"] + `,admin,0,"system:masters"` + "\n"; !strings.Contains(tokenFile(tokens), line) {
		t.Errorf("the token file lacks the line %s:\n%s", line, tokenFile(tokens))
	}
	config := kubeconfig("admin", tokens["admin"])
	for _, want := range []string{"token: " + tokens["admin"], apiserverURL, apiserverCert} {
		if !strings.Contains(config, want) {
			t.Errorf("the kubeconfig lacks %q:\n%s", want, config)
		}
	}
}

// `up` restarts running components after a flag has changed.
func TestFingerprintSeesFlags(t *testing.T) {
	all := components("/cache/controlplane")
	before := fingerprint(all)
	if fingerprint(components("/cache/controlplane")) != before {
		t.Error("the fingerprint of equal components differs")
	}
	all[2].command = append(all[2].command, "--v=4")
	if fingerprint(all) == before {
		t.Error("the fingerprint does not see a new flag")
	}
}

func TestTarHoldsTheFiles(t *testing.T) {
	content, err := tarOf(file{"pause", []byte("program")}, file{"empty", nil})
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(content))
	for _, want := range []struct{ name, content string }{{"pause", "program"}, {"empty", ""}} {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || h.Name != want.name || string(got) != want.content || h.Mode&0o111 == 0 {
			t.Errorf("got %s %q, mode %o, %v; want %s %q, executable", h.Name, got, h.Mode, err, want.name, want.content)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last file: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := checkDisk(dir, 1<<62); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("want an error that names %s, got %v", dir, err)
	}
	if err := checkDisk(dir, 1); err != nil {
		t.Error(err)
	}
}
