// Command contractdriver executes the calls of the contract suite through this client; see tests/contract/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"meshflow.dev/go/meshflow"
)

// call is a line of stdin.
type call struct {
	ID    json.RawMessage `json:"id"`
	Call  string          `json:"call"`
	Token string          `json:"token"`
	Args  json.RawMessage `json:"args"`
}

// answer is a line of stdout: one of an event, a result and an error.
type answer struct {
	ID     json.RawMessage  `json:"id"`
	Event  json.RawMessage  `json:"event,omitempty"`
	Result *json.RawMessage `json:"result,omitempty"`
	Error  *failure         `json:"error,omitempty"`
}

type failure struct {
	Code        string      `json:"code"`
	Reason      string      `json:"reason"`
	Message     string      `json:"message"`
	Violations  []violation `json:"violations"`
	RetryAfterS *float64    `json:"retry_after_s"`
}

type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// unsendable is a request that has no form in the client's types.
type unsendable struct{ error }

type driver struct {
	address string
	clients map[string]*meshflow.Client
	out     *json.Encoder
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: contractdriver ADDRESS")
	}
	d := &driver{address: os.Args[1], clients: map[string]*meshflow.Client{}, out: json.NewEncoder(os.Stdout)}
	lines := bufio.NewReader(os.Stdin)
	decoder := json.NewDecoder(lines)
	for decoder.More() {
		var next call
		if err := decoder.Decode(&next); err != nil {
			log.Fatal(err)
		}
		if err := d.out.Encode(d.answer(context.Background(), &next)); err != nil {
			log.Fatal(err)
		}
	}
}

func (d *driver) client(token string) (*meshflow.Client, error) {
	if known, found := d.clients[token]; found {
		return known, nil
	}
	made, err := meshflow.Dial(d.address, meshflow.WithToken(token))
	d.clients[token] = made
	return made, err
}

// answer executes a call; a stream's events are written on the way.
func (d *driver) answer(ctx context.Context, next *call) *answer {
	client, err := d.client(next.Token)
	if err != nil {
		return &answer{ID: next.ID, Error: failureOf(err)}
	}
	method, known := methods[next.Call]
	if !known {
		return &answer{ID: next.ID, Error: &failure{Code: "UNSUPPORTED", Violations: []violation{}}}
	}
	emit := func(event *meshflow.RunEvent) error {
		return d.out.Encode(&answer{ID: next.ID, Event: shown(event)})
	}
	message, err := method(ctx, client, next.Args, emit)
	if err != nil {
		return &answer{ID: next.ID, Error: failureOf(err)}
	}
	result := json.RawMessage("null")
	if message != nil {
		result = shown(message)
	}
	return &answer{ID: next.ID, Result: &result}
}

// shown is protobuf JSON with the proto's names.
func shown(message proto.Message) json.RawMessage {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(message)
	if err != nil {
		log.Fatal(err)
	}
	return text
}

func failureOf(err error) *failure {
	found := &failure{Code: "UNKNOWN", Message: err.Error(), Violations: []violation{}}
	switch typed := err.(type) {
	case unsendable:
		found.Code = "UNSENDABLE"
	case *meshflow.Error:
		found.Code, found.Reason, found.Message = nameOf(typed.Code), string(typed.Reason), typed.Message
		for _, each := range typed.Violations {
			found.Violations = append(found.Violations, violation{each.Field, each.Description})
		}
		if typed.RetryAfter > 0 {
			found.RetryAfterS = new(typed.RetryAfter.Seconds())
		}
	}
	return found
}

// nameOf turns InvalidArgument into INVALID_ARGUMENT.
func nameOf(code codes.Code) string {
	if code == codes.OK {
		return "OK"
	}
	var name strings.Builder
	for i, letter := range code.String() {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}
