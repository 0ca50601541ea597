package meshflow

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// DefaultAddress is where `meshflow serve` listens.
const DefaultAddress = "127.0.0.1:8765"

const maxMessageBytes = 64 << 20

// Every request that starts a run carries a request id, so that UNAVAILABLE can be retried; of ForkRun that is the caller's choice.
const serviceConfig = `{"methodConfig": [{"name": [{"service": "meshflow.v1.RunService", "method": "ForkRun"}]}, {
	"name": [{"service": "meshflow.v1.RunService"}, {"service": "meshflow.v1.LedgerService"},
		{"service": "meshflow.v1.ApprovalService"}, {"service": "meshflow.v1.WorkflowService"}, {"service": "meshflow.v1.SystemService"},
		{"service": "meshflow.v1.MeshService"}],
	"retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]}}]}`

type settings struct {
	token          string
	tls            *tls.Config
	timeout        time.Duration
	keepalive      keepalive.ClientParameters
	reconnects     int
	reconnectDelay time.Duration
	dial           []grpc.DialOption
}

// Option says how to reach the server.
type Option func(*settings) error

// TLSFiles are PEM files: the authorities to trust (default: the system's) and, for mutual TLS, certificate and key.
type TLSFiles struct {
	CA, Certificate, Key string
}

// WithToken sends the token as `authorization: Bearer` with every call.
func WithToken(token string) Option {
	return func(s *settings) error { s.token = token; return nil }
}

// WithTLS dials with TLS; nil means the system's authorities. An https:// address implies it.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) error {
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		s.tls = config
		return nil
	}
}

// WithTLSFiles dials with TLS, or mutual TLS when a certificate is named.
func WithTLSFiles(files TLSFiles) Option {
	return func(s *settings) error {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if files.CA != "" {
			pem, err := os.ReadFile(files.CA)
			if err != nil {
				return err
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return fmt.Errorf("meshflow: %s holds no PEM certificate", files.CA)
			}
		}
		if files.Certificate != "" || files.Key != "" {
			pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
			if err != nil {
				return err
			}
			config.Certificates = []tls.Certificate{pair}
		}
		s.tls = config
		return nil
	}
}

// WithTimeout bounds every call that does not wait for a run and whose context has no deadline. Default: 30 s.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) error { s.timeout = timeout; return nil }
}

// WithKeepalive pings a connection with calls in flight after the interval without traffic. Default: 30 s, timeout 10 s.
func WithKeepalive(interval, timeout time.Duration) Option {
	return func(s *settings) error {
		s.keepalive = keepalive.ClientParameters{Time: interval, Timeout: timeout}
		return nil
	}
}

// WithReconnects bounds how often in a row Watch takes a broken stream up again (default 20) and the first pause
// (default 200 ms, doubling up to 5 s).
func WithReconnects(most int, delay time.Duration) Option {
	return func(s *settings) error { s.reconnects, s.reconnectDelay = most, delay; return nil }
}

// WithDialOptions adds gRPC options, for example interceptors for tracing.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) error { s.dial = append(s.dial, options...); return nil }
}

func newSettings(address string, options []Option) (*settings, string, error) {
	s := &settings{
		timeout:        30 * time.Second,
		keepalive:      keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second},
		reconnects:     20,
		reconnectDelay: 200 * time.Millisecond,
	}
	for _, option := range options {
		if err := option(s); err != nil {
			return nil, "", err
		}
	}
	target, secure, err := targetOf(address)
	if secure && s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s, target, err
}

func (s *settings) dialOptions() []grpc.DialOption {
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		// A request is kept for its retry up to the last of these; gRPC's own default is 256 KiB.
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes), grpc.MaxRetryRPCBufferSize(maxMessageBytes),
		),
		grpc.WithKeepaliveParams(s.keepalive),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if s.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(s.token)))
	}
	return append(options, s.dial...)
}

// targetOf reads host:port, http://host:port or https://host[:port]; the latter is to be dialled with TLS.
func targetOf(address string) (target string, secure bool, err error) {
	wrong := fmt.Errorf("meshflow: %q is not an address; write host:port, http://host:port or https://host", address)
	if !strings.Contains(address, "://") {
		host, port, err := net.SplitHostPort(address)
		if number, parsed := strconv.ParseUint(port, 10, 16); err != nil || host == "" || parsed != nil || number == 0 {
			return "", false, wrong
		}
		return address, false, nil
	}
	link, err := url.Parse(address)
	if err != nil || link.Hostname() == "" || strings.Trim(link.Path, "/") != "" {
		return "", false, wrong
	}
	port, known := map[string]string{"http": "80", "https": "443"}[link.Scheme]
	if !known {
		return "", false, wrong
	}
	if link.Port() != "" {
		port = link.Port()
	}
	return net.JoinHostPort(link.Hostname(), port), link.Scheme == "https", nil
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false: a server on the loopback or behind a mesh's own TLS takes tokens too.
func (bearer) RequireTransportSecurity() bool { return false }
