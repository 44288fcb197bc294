//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

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
	return call(ctx, http.MethodGet, path, nil)
}

// call sends a request to the API server as the admin. Connections are not reused, because the
// certificate changes with a restart.
func call(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	token, err := adminToken()
	if err != nil {
		return nil, err
	}
	cert, err := os.ReadFile(apiserverCert)
	if err != nil {
		return nil, errors.New("the API server has not started")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
	}
	req, err := http.NewRequestWithContext(ctx, method, apiserverURL+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s: %.200s", path, resp.Status, answer)
	}
	return answer, err
}

func adminToken() (string, error) {
	csv, err := os.ReadFile(tokensPath)
	if err != nil {
		return "", errors.New("there is no cluster on this machine; start it with `up`")
	}
	token, _, _ := strings.Cut(string(csv), ",")
	return token, nil
}
