package meshflow

import (
	"context"
	"errors"
	"iter"
	"time"

	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

// RegisterNode registers a node that is no meshflow server, for the caller's tenant; it lives by Heartbeat.
func (c *Client) RegisterNode(ctx context.Context, request *RegisterNodeRequest) (*MeshNode, error) {
	return bounded(ctx, c, 0, c.mesh.RegisterNode, request)
}

// Heartbeat says that a node lives and returns the time within which the next one is due.
func (c *Client) Heartbeat(ctx context.Context, nodeID string) (time.Duration, error) {
	response, err := bounded(ctx, c, 0, c.mesh.Heartbeat, &meshflowv1.HeartbeatRequest{NodeId: nodeID})
	return time.Duration(response.GetTtlS() * float64(time.Second)), err
}

// ListNodes returns all nodes and how they do, by name.
func (c *Client) ListNodes(ctx context.Context) ([]*MeshNode, error) {
	response, err := bounded(ctx, c, 0, c.mesh.ListNodes, &meshflowv1.ListNodesRequest{})
	return response.GetNodes(), err
}

// ResolveNode returns whom a step would go to, in the order in which they are asked.
func (c *Client) ResolveNode(ctx context.Context, request *ResolveNodeRequest) ([]*MeshNode, error) {
	response, err := bounded(ctx, c, 0, c.mesh.ResolveNode, request)
	return response.GetNodes(), err
}

// WatchMesh yields what happened in the mesh above a number and then what happens, without end; the last pair carries the error.
func (c *Client) WatchMesh(ctx context.Context, afterSequence int32) iter.Seq2[*MeshChange, error] {
	return func(yield func(*MeshChange, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.mesh.WatchMesh(ctx, &meshflowv1.WatchMeshRequest{AfterSequence: afterSequence})
		if err == nil {
			err = forward(stream, func(change *MeshChange) bool { return yield(change, nil) })
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, callError(err))
		}
	}
}
