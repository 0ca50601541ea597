package dev.meshflow.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class SystemServiceGrpc {

  private SystemServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "meshflow.v1.SystemService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetHealthRequest,
      dev.meshflow.v1.GetHealthResponse> getGetHealthMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetHealth",
      requestType = dev.meshflow.v1.GetHealthRequest.class,
      responseType = dev.meshflow.v1.GetHealthResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetHealthRequest,
      dev.meshflow.v1.GetHealthResponse> getGetHealthMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetHealthRequest, dev.meshflow.v1.GetHealthResponse> getGetHealthMethod;
    if ((getGetHealthMethod = SystemServiceGrpc.getGetHealthMethod) == null) {
      synchronized (SystemServiceGrpc.class) {
        if ((getGetHealthMethod = SystemServiceGrpc.getGetHealthMethod) == null) {
          SystemServiceGrpc.getGetHealthMethod = getGetHealthMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetHealthRequest, dev.meshflow.v1.GetHealthResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetHealth"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetHealthRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetHealthResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SystemServiceMethodDescriptorSupplier("GetHealth"))
              .build();
        }
      }
    }
    return getGetHealthMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetLivenessRequest,
      dev.meshflow.v1.GetLivenessResponse> getGetLivenessMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetLiveness",
      requestType = dev.meshflow.v1.GetLivenessRequest.class,
      responseType = dev.meshflow.v1.GetLivenessResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetLivenessRequest,
      dev.meshflow.v1.GetLivenessResponse> getGetLivenessMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetLivenessRequest, dev.meshflow.v1.GetLivenessResponse> getGetLivenessMethod;
    if ((getGetLivenessMethod = SystemServiceGrpc.getGetLivenessMethod) == null) {
      synchronized (SystemServiceGrpc.class) {
        if ((getGetLivenessMethod = SystemServiceGrpc.getGetLivenessMethod) == null) {
          SystemServiceGrpc.getGetLivenessMethod = getGetLivenessMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetLivenessRequest, dev.meshflow.v1.GetLivenessResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetLiveness"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetLivenessRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetLivenessResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SystemServiceMethodDescriptorSupplier("GetLiveness"))
              .build();
        }
      }
    }
    return getGetLivenessMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetReadinessRequest,
      dev.meshflow.v1.GetReadinessResponse> getGetReadinessMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetReadiness",
      requestType = dev.meshflow.v1.GetReadinessRequest.class,
      responseType = dev.meshflow.v1.GetReadinessResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetReadinessRequest,
      dev.meshflow.v1.GetReadinessResponse> getGetReadinessMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetReadinessRequest, dev.meshflow.v1.GetReadinessResponse> getGetReadinessMethod;
    if ((getGetReadinessMethod = SystemServiceGrpc.getGetReadinessMethod) == null) {
      synchronized (SystemServiceGrpc.class) {
        if ((getGetReadinessMethod = SystemServiceGrpc.getGetReadinessMethod) == null) {
          SystemServiceGrpc.getGetReadinessMethod = getGetReadinessMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetReadinessRequest, dev.meshflow.v1.GetReadinessResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetReadiness"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetReadinessRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetReadinessResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SystemServiceMethodDescriptorSupplier("GetReadiness"))
              .build();
        }
      }
    }
    return getGetReadinessMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static SystemServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SystemServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SystemServiceStub>() {
        @java.lang.Override
        public SystemServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SystemServiceStub(channel, callOptions);
        }
      };
    return SystemServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static SystemServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SystemServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SystemServiceBlockingV2Stub>() {
        @java.lang.Override
        public SystemServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SystemServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return SystemServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static SystemServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SystemServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SystemServiceBlockingStub>() {
        @java.lang.Override
        public SystemServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SystemServiceBlockingStub(channel, callOptions);
        }
      };
    return SystemServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static SystemServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SystemServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SystemServiceFutureStub>() {
        @java.lang.Override
        public SystemServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SystemServiceFutureStub(channel, callOptions);
        }
      };
    return SystemServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Says that the server answers, with its version and uptime.
     * </pre>
     */
    default void getHealth(dev.meshflow.v1.GetHealthRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetHealthResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetHealthMethod(), responseObserver);
    }

    /**
     * <pre>
     * Says that the process is alive: its event loop turns. Not alive is UNAVAILABLE (503): restart me.
     * </pre>
     */
    default void getLiveness(dev.meshflow.v1.GetLivenessRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetLivenessResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetLivenessMethod(), responseObserver);
    }

    /**
     * <pre>
     * Says that the server wants traffic. Warming and draining are UNAVAILABLE (503): hold traffic back.
     * </pre>
     */
    default void getReadiness(dev.meshflow.v1.GetReadinessRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetReadinessResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetReadinessMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service SystemService.
   * <pre>
   * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
   * </pre>
   */
  public static abstract class SystemServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return SystemServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service SystemService.
   * <pre>
   * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
   * </pre>
   */
  public static final class SystemServiceStub
      extends io.grpc.stub.AbstractAsyncStub<SystemServiceStub> {
    private SystemServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SystemServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SystemServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Says that the server answers, with its version and uptime.
     * </pre>
     */
    public void getHealth(dev.meshflow.v1.GetHealthRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetHealthResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetHealthMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Says that the process is alive: its event loop turns. Not alive is UNAVAILABLE (503): restart me.
     * </pre>
     */
    public void getLiveness(dev.meshflow.v1.GetLivenessRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetLivenessResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetLivenessMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Says that the server wants traffic. Warming and draining are UNAVAILABLE (503): hold traffic back.
     * </pre>
     */
    public void getReadiness(dev.meshflow.v1.GetReadinessRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetReadinessResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetReadinessMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service SystemService.
   * <pre>
   * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
   * </pre>
   */
  public static final class SystemServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<SystemServiceBlockingV2Stub> {
    private SystemServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SystemServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SystemServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Says that the server answers, with its version and uptime.
     * </pre>
     */
    public dev.meshflow.v1.GetHealthResponse getHealth(dev.meshflow.v1.GetHealthRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetHealthMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says that the process is alive: its event loop turns. Not alive is UNAVAILABLE (503): restart me.
     * </pre>
     */
    public dev.meshflow.v1.GetLivenessResponse getLiveness(dev.meshflow.v1.GetLivenessRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetLivenessMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says that the server wants traffic. Warming and draining are UNAVAILABLE (503): hold traffic back.
     * </pre>
     */
    public dev.meshflow.v1.GetReadinessResponse getReadiness(dev.meshflow.v1.GetReadinessRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetReadinessMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service SystemService.
   * <pre>
   * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
   * </pre>
   */
  public static final class SystemServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<SystemServiceBlockingStub> {
    private SystemServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SystemServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SystemServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Says that the server answers, with its version and uptime.
     * </pre>
     */
    public dev.meshflow.v1.GetHealthResponse getHealth(dev.meshflow.v1.GetHealthRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetHealthMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says that the process is alive: its event loop turns. Not alive is UNAVAILABLE (503): restart me.
     * </pre>
     */
    public dev.meshflow.v1.GetLivenessResponse getLiveness(dev.meshflow.v1.GetLivenessRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetLivenessMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Says that the server wants traffic. Warming and draining are UNAVAILABLE (503): hold traffic back.
     * </pre>
     */
    public dev.meshflow.v1.GetReadinessResponse getReadiness(dev.meshflow.v1.GetReadinessRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetReadinessMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service SystemService.
   * <pre>
   * The server itself. Kubernetes probes use the standard grpc.health.v1.Health service.
   * </pre>
   */
  public static final class SystemServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<SystemServiceFutureStub> {
    private SystemServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SystemServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SystemServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Says that the server answers, with its version and uptime.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.GetHealthResponse> getHealth(
        dev.meshflow.v1.GetHealthRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetHealthMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Says that the process is alive: its event loop turns. Not alive is UNAVAILABLE (503): restart me.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.GetLivenessResponse> getLiveness(
        dev.meshflow.v1.GetLivenessRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetLivenessMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Says that the server wants traffic. Warming and draining are UNAVAILABLE (503): hold traffic back.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.GetReadinessResponse> getReadiness(
        dev.meshflow.v1.GetReadinessRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetReadinessMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_HEALTH = 0;
  private static final int METHODID_GET_LIVENESS = 1;
  private static final int METHODID_GET_READINESS = 2;

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
        case METHODID_GET_HEALTH:
          serviceImpl.getHealth((dev.meshflow.v1.GetHealthRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.GetHealthResponse>) responseObserver);
          break;
        case METHODID_GET_LIVENESS:
          serviceImpl.getLiveness((dev.meshflow.v1.GetLivenessRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.GetLivenessResponse>) responseObserver);
          break;
        case METHODID_GET_READINESS:
          serviceImpl.getReadiness((dev.meshflow.v1.GetReadinessRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.GetReadinessResponse>) responseObserver);
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
          getGetHealthMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetHealthRequest,
              dev.meshflow.v1.GetHealthResponse>(
                service, METHODID_GET_HEALTH)))
        .addMethod(
          getGetLivenessMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetLivenessRequest,
              dev.meshflow.v1.GetLivenessResponse>(
                service, METHODID_GET_LIVENESS)))
        .addMethod(
          getGetReadinessMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetReadinessRequest,
              dev.meshflow.v1.GetReadinessResponse>(
                service, METHODID_GET_READINESS)))
        .build();
  }

  private static abstract class SystemServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    SystemServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.meshflow.v1.SystemServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("SystemService");
    }
  }

  private static final class SystemServiceFileDescriptorSupplier
      extends SystemServiceBaseDescriptorSupplier {
    SystemServiceFileDescriptorSupplier() {}
  }

  private static final class SystemServiceMethodDescriptorSupplier
      extends SystemServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    SystemServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (SystemServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new SystemServiceFileDescriptorSupplier())
              .addMethod(getGetHealthMethod())
              .addMethod(getGetLivenessMethod())
              .addMethod(getGetReadinessMethod())
              .build();
        }
      }
    }
    return result;
  }
}
