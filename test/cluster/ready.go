package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// apiserver's certificate is self-signed and the connection never leaves the machine.
var apiClient = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

func apiserverReady(ctx context.Context) error {
	_, err := get(ctx, "/readyz")
	return err
}

func nodeReady(ctx context.Context) error {
	body, err := get(ctx, "/api/v1/nodes/localhost")
	if err != nil {
		return err
	}
	var node struct {
		Spec   struct{ Taints []struct{ Key string } }
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return err
	}
	for _, taint := range node.Spec.Taints {
		return fmt.Errorf("the node has the taint %s", taint.Key)
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		} else if c.Type == "Ready" {
			return errors.New(c.Message)
		}
	}
	return errors.New("the node has not reported yet")
}

func get(ctx context.Context, path string) ([]byte, error) {
	token, err := adminToken()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, apiserverURL+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := apiClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, resp.Status, body)
	}
	return body, err
}

func adminToken() (string, error) {
	csv, err := os.ReadFile(filepath.Join(stateDir, "pki", "tokens.csv"))
	if err != nil {
		return "", errors.New("there is no cluster on this machine; start it with `up`")
	}
	token, _, _ := strings.Cut(string(csv), ",")
	return token, nil
}

// nodeIP is an address of this machine, for the kubelet insists on one that is not loopback; the
// machine's own if it has one, else the address that pods see as their gateway.
func nodeIP() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "10.88.77.1"
}
