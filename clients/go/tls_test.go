package meshflow_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"meshflow.dev/go/meshflow"
	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

// identity is a certificate that signs itself, and its key, as PEM files.
type identity struct{ certificate, key string }

func newIdentity(t *testing.T, name string) identity {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return identity{writePEM(t, "CERTIFICATE", certificate), writePEM(t, "PRIVATE KEY", key)}
}

func writePEM(t *testing.T, kind string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// With mutual TLS both sides prove who they are; without the client's certificate, or with the server unknown, no call passes.
func TestMutualTLS(t *testing.T) {
	server, client := newIdentity(t, "server"), newIdentity(t, "client")
	pair, err := tls.LoadX509KeyPair(server.certificate, server.key)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := os.ReadFile(client.certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	})))
	meshflowv1.RegisterRunServiceServer(secure, &scriptedServer{})
	go func() { _ = secure.Serve(listener) }()
	t.Cleanup(secure.Stop)

	address := listener.Addr().String()
	both := meshflow.WithTLSFiles(meshflow.TLSFiles{CA: server.certificate, Certificate: client.certificate, Key: client.key})
	if run, err := dial(t, address, both, meshflow.WithToken("secret")).GetRun(t.Context(), "run_1"); err != nil || run.GetStatus() != "completed" {
		t.Errorf("mutual TLS: %v, %v", run, err)
	}
	for name, option := range map[string]meshflow.Option{
		"no certificate": meshflow.WithTLSFiles(meshflow.TLSFiles{CA: server.certificate}),
		"unknown server": meshflow.WithTLS(nil),
		"no TLS":         meshflow.WithToken(""),
	} {
		_, err := dial(t, address, option).GetRun(t.Context(), "run_1")
		if failure, ok := err.(*meshflow.Error); !ok || failure.Code != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, files := range []meshflow.TLSFiles{{CA: "missing.pem"}, {CA: client.key}, {Certificate: client.certificate}} {
		if _, err := meshflow.Dial(address, meshflow.WithTLSFiles(files)); err == nil {
			t.Errorf("%+v were accepted", files)
		}
	}
}
