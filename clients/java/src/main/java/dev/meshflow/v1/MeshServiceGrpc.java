package dev.meshflow.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
 * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class MeshServiceGrpc {

  private MeshServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "meshflow.v1.MeshService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.RegisterNodeRequest,
      dev.meshflow.v1.MeshNode> getRegisterNodeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RegisterNode",
      requestType = dev.meshflow.v1.RegisterNodeRequest.class,
      responseType = dev.meshflow.v1.MeshNode.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.RegisterNodeRequest,
      dev.meshflow.v1.MeshNode> getRegisterNodeMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.RegisterNodeRequest, dev.meshflow.v1.MeshNode> getRegisterNodeMethod;
    if ((getRegisterNodeMethod = MeshServiceGrpc.getRegisterNodeMethod) == null) {
      synchronized (MeshServiceGrpc.class) {
        if ((getRegisterNodeMethod = MeshServiceGrpc.getRegisterNodeMethod) == null) {
          MeshServiceGrpc.getRegisterNodeMethod = getRegisterNodeMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.RegisterNodeRequest, dev.meshflow.v1.MeshNode>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RegisterNode"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RegisterNodeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.MeshNode.getDefaultInstance()))
              .setSchemaDescriptor(new MeshServiceMethodDescriptorSupplier("RegisterNode"))
              .build();
        }
      }
    }
    return getRegisterNodeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.HeartbeatRequest,
      dev.meshflow.v1.HeartbeatResponse> getHeartbeatMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Heartbeat",
      requestType = dev.meshflow.v1.HeartbeatRequest.class,
      responseType = dev.meshflow.v1.HeartbeatResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.HeartbeatRequest,
      dev.meshflow.v1.HeartbeatResponse> getHeartbeatMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.HeartbeatRequest, dev.meshflow.v1.HeartbeatResponse> getHeartbeatMethod;
    if ((getHeartbeatMethod = MeshServiceGrpc.getHeartbeatMethod) == null) {
      synchronized (MeshServiceGrpc.class) {
        if ((getHeartbeatMethod = MeshServiceGrpc.getHeartbeatMethod) == null) {
          MeshServiceGrpc.getHeartbeatMethod = getHeartbeatMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.HeartbeatRequest, dev.meshflow.v1.HeartbeatResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Heartbeat"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.HeartbeatRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.HeartbeatResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MeshServiceMethodDescriptorSupplier("Heartbeat"))
              .build();
        }
      }
    }
    return getHeartbeatMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ListNodesRequest,
      dev.meshflow.v1.ListNodesResponse> getListNodesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListNodes",
      requestType = dev.meshflow.v1.ListNodesRequest.class,
      responseType = dev.meshflow.v1.ListNodesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ListNodesRequest,
      dev.meshflow.v1.ListNodesResponse> getListNodesMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ListNodesRequest, dev.meshflow.v1.ListNodesResponse> getListNodesMethod;
    if ((getListNodesMethod = MeshServiceGrpc.getListNodesMethod) == null) {
      synchronized (MeshServiceGrpc.class) {
        if ((getListNodesMethod = MeshServiceGrpc.getListNodesMethod) == null) {
          MeshServiceGrpc.getListNodesMethod = getListNodesMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ListNodesRequest, dev.meshflow.v1.ListNodesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListNodes"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListNodesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListNodesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MeshServiceMethodDescriptorSupplier("ListNodes"))
              .build();
        }
      }
    }
    return getListNodesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ResolveNodeRequest,
      dev.meshflow.v1.ResolveNodeResponse> getResolveNodeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ResolveNode",
      requestType = dev.meshflow.v1.ResolveNodeRequest.class,
      responseType = dev.meshflow.v1.ResolveNodeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ResolveNodeRequest,
      dev.meshflow.v1.ResolveNodeResponse> getResolveNodeMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ResolveNodeRequest, dev.meshflow.v1.ResolveNodeResponse> getResolveNodeMethod;
    if ((getResolveNodeMethod = MeshServiceGrpc.getResolveNodeMethod) == null) {
      synchronized (MeshServiceGrpc.class) {
        if ((getResolveNodeMethod = MeshServiceGrpc.getResolveNodeMethod) == null) {
          MeshServiceGrpc.getResolveNodeMethod = getResolveNodeMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ResolveNodeRequest, dev.meshflow.v1.ResolveNodeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ResolveNode"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ResolveNodeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ResolveNodeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MeshServiceMethodDescriptorSupplier("ResolveNode"))
              .build();
        }
      }
    }
    return getResolveNodeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.WatchMeshRequest,
      dev.meshflow.v1.MeshChange> getWatchMeshMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchMesh",
      requestType = dev.meshflow.v1.WatchMeshRequest.class,
      responseType = dev.meshflow.v1.MeshChange.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.WatchMeshRequest,
      dev.meshflow.v1.MeshChange> getWatchMeshMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.WatchMeshRequest, dev.meshflow.v1.MeshChange> getWatchMeshMethod;
    if ((getWatchMeshMethod = MeshServiceGrpc.getWatchMeshMethod) == null) {
      synchronized (MeshServiceGrpc.class) {
        if ((getWatchMeshMethod = MeshServiceGrpc.getWatchMeshMethod) == null) {
          MeshServiceGrpc.getWatchMeshMethod = getWatchMeshMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.WatchMeshRequest, dev.meshflow.v1.MeshChange>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchMesh"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.WatchMeshRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.MeshChange.getDefaultInstance()))
              .setSchemaDescriptor(new MeshServiceMethodDescriptorSupplier("WatchMesh"))
              .build();
        }
      }
    }
    return getWatchMeshMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static MeshServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MeshServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MeshServiceStub>() {
        @java.lang.Override
        public MeshServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MeshServiceStub(channel, callOptions);
        }
      };
    return MeshServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static MeshServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MeshServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MeshServiceBlockingV2Stub>() {
        @java.lang.Override
        public MeshServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MeshServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return MeshServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static MeshServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MeshServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MeshServiceBlockingStub>() {
        @java.lang.Override
        public MeshServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MeshServiceBlockingStub(channel, callOptions);
        }
      };
    return MeshServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static MeshServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MeshServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MeshServiceFutureStub>() {
        @java.lang.Override
        public MeshServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MeshServiceFutureStub(channel, callOptions);
        }
      };
    return MeshServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
   * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Registers a node that is no meshflow server, such as an agent of one's own that speaks the same API, for the caller's tenant.
     * The same name again is the same node with new endpoints. REST: POST /v1/mesh/nodes.
     * </pre>
     */
    default void registerNode(dev.meshflow.v1.RegisterNodeRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.MeshNode> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRegisterNodeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Says that a registered node lives; without it for its ttl_s it counts as gone. REST: POST /v1/mesh/nodes/{node_id}:heartbeat.
     * </pre>
     */
    default void heartbeat(dev.meshflow.v1.HeartbeatRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.HeartbeatResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getHeartbeatMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the nodes that serve the caller's tenant, those that are gone included, by name.
     * </pre>
     */
    default void listNodes(dev.meshflow.v1.ListNodesRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListNodesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListNodesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Says whom a step would go to, in the order in which they are asked. No node at all is NODE_NOT_FOUND.
     * </pre>
     */
    default void resolveNode(dev.meshflow.v1.ResolveNodeRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ResolveNodeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResolveNodeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams what happens in the mesh, without end: first the last thousand changes, then each when it happens.
     * REST: GET /v1/mesh/events, as Server-Sent Events.
     * </pre>
     */
    default void watchMesh(dev.meshflow.v1.WatchMeshRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.MeshChange> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchMeshMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service MeshService.
   * <pre>
   * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
   * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
   * </pre>
   */
  public static abstract class MeshServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return MeshServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service MeshService.
   * <pre>
   * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
   * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
   * </pre>
   */
  public static final class MeshServiceStub
      extends io.grpc.stub.AbstractAsyncStub<MeshServiceStub> {
    private MeshServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MeshServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MeshServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a node that is no meshflow server, such as an agent of one's own that speaks the same API, for the caller's tenant.
     * The same name again is the same node with new endpoints. REST: POST /v1/mesh/nodes.
     * </pre>
     */
    public void registerNode(dev.meshflow.v1.RegisterNodeRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.MeshNode> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRegisterNodeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Says that a registered node lives; without it for its ttl_s it counts as gone. REST: POST /v1/mesh/nodes/{node_id}:heartbeat.
     * </pre>
     */
    public void heartbeat(dev.meshflow.v1.HeartbeatRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.HeartbeatResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getHeartbeatMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the nodes that serve the caller's tenant, those that are gone included, by name.
     * </pre>
     */
    public void listNodes(dev.meshflow.v1.ListNodesRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListNodesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListNodesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Says whom a step would go to, in the order in which they are asked. No node at all is NODE_NOT_FOUND.
     * </pre>
     */
    public void resolveNode(dev.meshflow.v1.ResolveNodeRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ResolveNodeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResolveNodeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams what happens in the mesh, without end: first the last thousand changes, then each when it happens.
     * REST: GET /v1/mesh/events, as Server-Sent Events.
     * </pre>
     */
    public void watchMesh(dev.meshflow.v1.WatchMeshRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.MeshChange> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchMeshMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service MeshService.
   * <pre>
   * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
   * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
   * </pre>
   */
  public static final class MeshServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<MeshServiceBlockingV2Stub> {
    private MeshServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MeshServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MeshServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a node that is no meshflow server, such as an agent of one's own that speaks the same API, for the caller's tenant.
     * The same name again is the same node with new endpoints. REST: POST /v1/mesh/nodes.
     * </pre>
     */
    public dev.meshflow.v1.MeshNode registerNode(dev.meshflow.v1.RegisterNodeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRegisterNodeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says that a registered node lives; without it for its ttl_s it counts as gone. REST: POST /v1/mesh/nodes/{node_id}:heartbeat.
     * </pre>
     */
    public dev.meshflow.v1.HeartbeatResponse heartbeat(dev.meshflow.v1.HeartbeatRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getHeartbeatMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the nodes that serve the caller's tenant, those that are gone included, by name.
     * </pre>
     */
    public dev.meshflow.v1.ListNodesResponse listNodes(dev.meshflow.v1.ListNodesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListNodesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says whom a step would go to, in the order in which they are asked. No node at all is NODE_NOT_FOUND.
     * </pre>
     */
    public dev.meshflow.v1.ResolveNodeResponse resolveNode(dev.meshflow.v1.ResolveNodeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResolveNodeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams what happens in the mesh, without end: first the last thousand changes, then each when it happens.
     * REST: GET /v1/mesh/events, as Server-Sent Events.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.meshflow.v1.MeshChange>
        watchMesh(dev.meshflow.v1.WatchMeshRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchMeshMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service MeshService.
   * <pre>
   * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
   * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
   * </pre>
   */
  public static final class MeshServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<MeshServiceBlockingStub> {
    private MeshServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MeshServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MeshServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a node that is no meshflow server, such as an agent of one's own that speaks the same API, for the caller's tenant.
     * The same name again is the same node with new endpoints. REST: POST /v1/mesh/nodes.
     * </pre>
     */
    public dev.meshflow.v1.MeshNode registerNode(dev.meshflow.v1.RegisterNodeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRegisterNodeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says that a registered node lives; without it for its ttl_s it counts as gone. REST: POST /v1/mesh/nodes/{node_id}:heartbeat.
     * </pre>
     */
    public dev.meshflow.v1.HeartbeatResponse heartbeat(dev.meshflow.v1.HeartbeatRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getHeartbeatMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the nodes that serve the caller's tenant, those that are gone included, by name.
     * </pre>
     */
    public dev.meshflow.v1.ListNodesResponse listNodes(dev.meshflow.v1.ListNodesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListNodesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says whom a step would go to, in the order in which they are asked. No node at all is NODE_NOT_FOUND.
     * </pre>
     */
    public dev.meshflow.v1.ResolveNodeResponse resolveNode(dev.meshflow.v1.ResolveNodeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResolveNodeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams what happens in the mesh, without end: first the last thousand changes, then each when it happens.
     * REST: GET /v1/mesh/events, as Server-Sent Events.
     * </pre>
     */
    public java.util.Iterator<dev.meshflow.v1.MeshChange> watchMesh(
        dev.meshflow.v1.WatchMeshRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchMeshMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service MeshService.
   * <pre>
   * The mesh: nodes that hand work to each other, found by name or by what they take, and how they do.
   * On a server that is no node every RPC fails with MESH_NOT_CONFIGURED.
   * </pre>
   */
  public static final class MeshServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<MeshServiceFutureStub> {
    private MeshServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MeshServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MeshServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a node that is no meshflow server, such as an agent of one's own that speaks the same API, for the caller's tenant.
     * The same name again is the same node with new endpoints. REST: POST /v1/mesh/nodes.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.MeshNode> registerNode(
        dev.meshflow.v1.RegisterNodeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRegisterNodeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Says that a registered node lives; without it for its ttl_s it counts as gone. REST: POST /v1/mesh/nodes/{node_id}:heartbeat.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.HeartbeatResponse> heartbeat(
        dev.meshflow.v1.HeartbeatRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getHeartbeatMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the nodes that serve the caller's tenant, those that are gone included, by name.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.ListNodesResponse> listNodes(
        dev.meshflow.v1.ListNodesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListNodesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Says whom a step would go to, in the order in which they are asked. No node at all is NODE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.ResolveNodeResponse> resolveNode(
        dev.meshflow.v1.ResolveNodeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResolveNodeMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_REGISTER_NODE = 0;
  private static final int METHODID_HEARTBEAT = 1;
  private static final int METHODID_LIST_NODES = 2;
  private static final int METHODID_RESOLVE_NODE = 3;
  private static final int METHODID_WATCH_MESH = 4;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_REGISTER_NODE:
          serviceImpl.registerNode((dev.meshflow.v1.RegisterNodeRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.MeshNode>) responseObserver);
          break;
        case METHODID_HEARTBEAT:
          serviceImpl.heartbeat((dev.meshflow.v1.HeartbeatRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.HeartbeatResponse>) responseObserver);
          break;
        case METHODID_LIST_NODES:
          serviceImpl.listNodes((dev.meshflow.v1.ListNodesRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.ListNodesResponse>) responseObserver);
          break;
        case METHODID_RESOLVE_NODE:
          serviceImpl.resolveNode((dev.meshflow.v1.ResolveNodeRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.ResolveNodeResponse>) responseObserver);
          break;
        case METHODID_WATCH_MESH:
          serviceImpl.watchMesh((dev.meshflow.v1.WatchMeshRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.MeshChange>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getRegisterNodeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.RegisterNodeRequest,
              dev.meshflow.v1.MeshNode>(
                service, METHODID_REGISTER_NODE)))
        .addMethod(
          getHeartbeatMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.HeartbeatRequest,
              dev.meshflow.v1.HeartbeatResponse>(
                service, METHODID_HEARTBEAT)))
        .addMethod(
          getListNodesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ListNodesRequest,
              dev.meshflow.v1.ListNodesResponse>(
                service, METHODID_LIST_NODES)))
        .addMethod(
          getResolveNodeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ResolveNodeRequest,
              dev.meshflow.v1.ResolveNodeResponse>(
                service, METHODID_RESOLVE_NODE)))
        .addMethod(
          getWatchMeshMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.meshflow.v1.WatchMeshRequest,
              dev.meshflow.v1.MeshChange>(
                service, METHODID_WATCH_MESH)))
        .build();
  }

  private static abstract class MeshServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    MeshServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.meshflow.v1.MeshServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("MeshService");
    }
  }

  private static final class MeshServiceFileDescriptorSupplier
      extends MeshServiceBaseDescriptorSupplier {
    MeshServiceFileDescriptorSupplier() {}
  }

  private static final class MeshServiceMethodDescriptorSupplier
      extends MeshServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    MeshServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (MeshServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new MeshServiceFileDescriptorSupplier())
              .addMethod(getRegisterNodeMethod())
              .addMethod(getHeartbeatMethod())
              .addMethod(getListNodesMethod())
              .addMethod(getResolveNodeMethod())
              .addMethod(getWatchMeshMethod())
              .build();
        }
      }
    }
    return result;
  }
}
