package dev.meshflow.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class RunServiceGrpc {

  private RunServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "meshflow.v1.RunService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.RunResponse> getRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Run",
      requestType = dev.meshflow.v1.RunRequest.class,
      responseType = dev.meshflow.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.RunResponse> getRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest, dev.meshflow.v1.RunResponse> getRunMethod;
    if ((getRunMethod = RunServiceGrpc.getRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getRunMethod = RunServiceGrpc.getRunMethod) == null) {
          RunServiceGrpc.getRunMethod = getRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.RunRequest, dev.meshflow.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Run"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("Run"))
              .build();
        }
      }
    }
    return getRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.RunEvent> getStreamRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamRun",
      requestType = dev.meshflow.v1.RunRequest.class,
      responseType = dev.meshflow.v1.RunEvent.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.RunEvent> getStreamRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest, dev.meshflow.v1.RunEvent> getStreamRunMethod;
    if ((getStreamRunMethod = RunServiceGrpc.getStreamRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getStreamRunMethod = RunServiceGrpc.getStreamRunMethod) == null) {
          RunServiceGrpc.getStreamRunMethod = getStreamRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.RunRequest, dev.meshflow.v1.RunEvent>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamRun"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunEvent.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("StreamRun"))
              .build();
        }
      }
    }
    return getStreamRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.RunResponse> getCreateRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateRun",
      requestType = dev.meshflow.v1.RunRequest.class,
      responseType = dev.meshflow.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.RunResponse> getCreateRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest, dev.meshflow.v1.RunResponse> getCreateRunMethod;
    if ((getCreateRunMethod = RunServiceGrpc.getCreateRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getCreateRunMethod = RunServiceGrpc.getCreateRunMethod) == null) {
          RunServiceGrpc.getCreateRunMethod = getCreateRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.RunRequest, dev.meshflow.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateRun"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("CreateRun"))
              .build();
        }
      }
    }
    return getCreateRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetRunRequest,
      dev.meshflow.v1.RunResponse> getGetRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetRun",
      requestType = dev.meshflow.v1.GetRunRequest.class,
      responseType = dev.meshflow.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetRunRequest,
      dev.meshflow.v1.RunResponse> getGetRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetRunRequest, dev.meshflow.v1.RunResponse> getGetRunMethod;
    if ((getGetRunMethod = RunServiceGrpc.getGetRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getGetRunMethod = RunServiceGrpc.getGetRunMethod) == null) {
          RunServiceGrpc.getGetRunMethod = getGetRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetRunRequest, dev.meshflow.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("GetRun"))
              .build();
        }
      }
    }
    return getGetRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ListRunsRequest,
      dev.meshflow.v1.ListRunsResponse> getListRunsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRuns",
      requestType = dev.meshflow.v1.ListRunsRequest.class,
      responseType = dev.meshflow.v1.ListRunsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ListRunsRequest,
      dev.meshflow.v1.ListRunsResponse> getListRunsMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ListRunsRequest, dev.meshflow.v1.ListRunsResponse> getListRunsMethod;
    if ((getListRunsMethod = RunServiceGrpc.getListRunsMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getListRunsMethod = RunServiceGrpc.getListRunsMethod) == null) {
          RunServiceGrpc.getListRunsMethod = getListRunsMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ListRunsRequest, dev.meshflow.v1.ListRunsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRuns"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListRunsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListRunsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("ListRuns"))
              .build();
        }
      }
    }
    return getListRunsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.WaitRunRequest,
      dev.meshflow.v1.RunResponse> getWaitRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WaitRun",
      requestType = dev.meshflow.v1.WaitRunRequest.class,
      responseType = dev.meshflow.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.WaitRunRequest,
      dev.meshflow.v1.RunResponse> getWaitRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.WaitRunRequest, dev.meshflow.v1.RunResponse> getWaitRunMethod;
    if ((getWaitRunMethod = RunServiceGrpc.getWaitRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getWaitRunMethod = RunServiceGrpc.getWaitRunMethod) == null) {
          RunServiceGrpc.getWaitRunMethod = getWaitRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.WaitRunRequest, dev.meshflow.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WaitRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.WaitRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("WaitRun"))
              .build();
        }
      }
    }
    return getWaitRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.WatchRunRequest,
      dev.meshflow.v1.RunEvent> getWatchRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchRun",
      requestType = dev.meshflow.v1.WatchRunRequest.class,
      responseType = dev.meshflow.v1.RunEvent.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.WatchRunRequest,
      dev.meshflow.v1.RunEvent> getWatchRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.WatchRunRequest, dev.meshflow.v1.RunEvent> getWatchRunMethod;
    if ((getWatchRunMethod = RunServiceGrpc.getWatchRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getWatchRunMethod = RunServiceGrpc.getWatchRunMethod) == null) {
          RunServiceGrpc.getWatchRunMethod = getWatchRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.WatchRunRequest, dev.meshflow.v1.RunEvent>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.WatchRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunEvent.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("WatchRun"))
              .build();
        }
      }
    }
    return getWatchRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.CancelRunRequest,
      dev.meshflow.v1.RunResponse> getCancelRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CancelRun",
      requestType = dev.meshflow.v1.CancelRunRequest.class,
      responseType = dev.meshflow.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.CancelRunRequest,
      dev.meshflow.v1.RunResponse> getCancelRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.CancelRunRequest, dev.meshflow.v1.RunResponse> getCancelRunMethod;
    if ((getCancelRunMethod = RunServiceGrpc.getCancelRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getCancelRunMethod = RunServiceGrpc.getCancelRunMethod) == null) {
          RunServiceGrpc.getCancelRunMethod = getCancelRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.CancelRunRequest, dev.meshflow.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CancelRun"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.CancelRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("CancelRun"))
              .build();
        }
      }
    }
    return getCancelRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.CheckRunResponse> getCheckRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CheckRun",
      requestType = dev.meshflow.v1.RunRequest.class,
      responseType = dev.meshflow.v1.CheckRunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest,
      dev.meshflow.v1.CheckRunResponse> getCheckRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.RunRequest, dev.meshflow.v1.CheckRunResponse> getCheckRunMethod;
    if ((getCheckRunMethod = RunServiceGrpc.getCheckRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getCheckRunMethod = RunServiceGrpc.getCheckRunMethod) == null) {
          RunServiceGrpc.getCheckRunMethod = getCheckRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.RunRequest, dev.meshflow.v1.CheckRunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CheckRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.CheckRunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("CheckRun"))
              .build();
        }
      }
    }
    return getCheckRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.DiffRunsRequest,
      dev.meshflow.v1.DiffRunsResponse> getDiffRunsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DiffRuns",
      requestType = dev.meshflow.v1.DiffRunsRequest.class,
      responseType = dev.meshflow.v1.DiffRunsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.DiffRunsRequest,
      dev.meshflow.v1.DiffRunsResponse> getDiffRunsMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.DiffRunsRequest, dev.meshflow.v1.DiffRunsResponse> getDiffRunsMethod;
    if ((getDiffRunsMethod = RunServiceGrpc.getDiffRunsMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getDiffRunsMethod = RunServiceGrpc.getDiffRunsMethod) == null) {
          RunServiceGrpc.getDiffRunsMethod = getDiffRunsMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.DiffRunsRequest, dev.meshflow.v1.DiffRunsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DiffRuns"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.DiffRunsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.DiffRunsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("DiffRuns"))
              .build();
        }
      }
    }
    return getDiffRunsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ForkRunRequest,
      dev.meshflow.v1.RunResponse> getForkRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ForkRun",
      requestType = dev.meshflow.v1.ForkRunRequest.class,
      responseType = dev.meshflow.v1.RunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ForkRunRequest,
      dev.meshflow.v1.RunResponse> getForkRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ForkRunRequest, dev.meshflow.v1.RunResponse> getForkRunMethod;
    if ((getForkRunMethod = RunServiceGrpc.getForkRunMethod) == null) {
      synchronized (RunServiceGrpc.class) {
        if ((getForkRunMethod = RunServiceGrpc.getForkRunMethod) == null) {
          RunServiceGrpc.getForkRunMethod = getForkRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ForkRunRequest, dev.meshflow.v1.RunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ForkRun"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ForkRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.RunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RunServiceMethodDescriptorSupplier("ForkRun"))
              .build();
        }
      }
    }
    return getForkRunMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static RunServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunServiceStub>() {
        @java.lang.Override
        public RunServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunServiceStub(channel, callOptions);
        }
      };
    return RunServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static RunServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunServiceBlockingV2Stub>() {
        @java.lang.Override
        public RunServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return RunServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static RunServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunServiceBlockingStub>() {
        @java.lang.Override
        public RunServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunServiceBlockingStub(channel, callOptions);
        }
      };
    return RunServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static RunServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RunServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RunServiceFutureStub>() {
        @java.lang.Override
        public RunServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RunServiceFutureStub(channel, callOptions);
        }
      };
    return RunServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Executes a run and waits until it is completed, blocked, failed, rejected, cancelled or paused. REST: POST /run.
     * </pre>
     */
    default void run(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Executes a run and streams its events; the last one is run_completed, or gate_paused when the run waits. REST: POST /stream.
     * </pre>
     */
    default void streamRun(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunEvent> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getStreamRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Starts a run and returns at once; the run goes on without the caller. REST: POST /v1/runs.
     * </pre>
     */
    default void createRun(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns a run as it stands.
     * </pre>
     */
    default void getRun(dev.meshflow.v1.GetRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the tenant's runs, newest first.
     * </pre>
     */
    default void listRuns(dev.meshflow.v1.ListRunsRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListRunsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRunsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Waits until the run ends, pauses or the timeout passes, and returns it as it stands then.
     * </pre>
     */
    default void waitRun(dev.meshflow.v1.WaitRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWaitRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams a run's events from any point, during and after the run, without loss or repetition. REST: GET /v1/runs/{run_id}/events.
     * </pre>
     */
    default void watchRun(dev.meshflow.v1.WatchRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunEvent> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Cancels a run and returns when it has ended; a run that already ended is returned unchanged. REST: POST /v1/runs/{run_id}:cancel.
     * </pre>
     */
    default void cancelRun(dev.meshflow.v1.CancelRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Checks a request before it runs: effective policy, every violated rule, estimates. Nothing is executed. REST: POST /v1/runs:check.
     * </pre>
     */
    default void checkRun(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.CheckRunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCheckRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Compares two runs node by node; deltas are B minus A.
     * </pre>
     */
    default void diffRuns(dev.meshflow.v1.DiffRunsRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.DiffRunsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDiffRunsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Starts a new run that has what an earlier run committed before some point, and goes on by itself from there. The earlier run
     * is not changed. Returns when the start is durable. REST: POST /v1/runs/{run_id}:fork.
     * </pre>
     */
    default void forkRun(dev.meshflow.v1.ForkRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getForkRunMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service RunService.
   * <pre>
   * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
   * </pre>
   */
  public static abstract class RunServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return RunServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service RunService.
   * <pre>
   * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
   * </pre>
   */
  public static final class RunServiceStub
      extends io.grpc.stub.AbstractAsyncStub<RunServiceStub> {
    private RunServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Executes a run and waits until it is completed, blocked, failed, rejected, cancelled or paused. REST: POST /run.
     * </pre>
     */
    public void run(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Executes a run and streams its events; the last one is run_completed, or gate_paused when the run waits. REST: POST /stream.
     * </pre>
     */
    public void streamRun(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunEvent> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getStreamRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Starts a run and returns at once; the run goes on without the caller. REST: POST /v1/runs.
     * </pre>
     */
    public void createRun(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns a run as it stands.
     * </pre>
     */
    public void getRun(dev.meshflow.v1.GetRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the tenant's runs, newest first.
     * </pre>
     */
    public void listRuns(dev.meshflow.v1.ListRunsRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListRunsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRunsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Waits until the run ends, pauses or the timeout passes, and returns it as it stands then.
     * </pre>
     */
    public void waitRun(dev.meshflow.v1.WaitRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWaitRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams a run's events from any point, during and after the run, without loss or repetition. REST: GET /v1/runs/{run_id}/events.
     * </pre>
     */
    public void watchRun(dev.meshflow.v1.WatchRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunEvent> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Cancels a run and returns when it has ended; a run that already ended is returned unchanged. REST: POST /v1/runs/{run_id}:cancel.
     * </pre>
     */
    public void cancelRun(dev.meshflow.v1.CancelRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Checks a request before it runs: effective policy, every violated rule, estimates. Nothing is executed. REST: POST /v1/runs:check.
     * </pre>
     */
    public void checkRun(dev.meshflow.v1.RunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.CheckRunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCheckRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Compares two runs node by node; deltas are B minus A.
     * </pre>
     */
    public void diffRuns(dev.meshflow.v1.DiffRunsRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.DiffRunsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDiffRunsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Starts a new run that has what an earlier run committed before some point, and goes on by itself from there. The earlier run
     * is not changed. Returns when the start is durable. REST: POST /v1/runs/{run_id}:fork.
     * </pre>
     */
    public void forkRun(dev.meshflow.v1.ForkRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getForkRunMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service RunService.
   * <pre>
   * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
   * </pre>
   */
  public static final class RunServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<RunServiceBlockingV2Stub> {
    private RunServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Executes a run and waits until it is completed, blocked, failed, rejected, cancelled or paused. REST: POST /run.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse run(dev.meshflow.v1.RunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Executes a run and streams its events; the last one is run_completed, or gate_paused when the run waits. REST: POST /stream.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.meshflow.v1.RunEvent>
        streamRun(dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getStreamRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Starts a run and returns at once; the run goes on without the caller. REST: POST /v1/runs.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse createRun(dev.meshflow.v1.RunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns a run as it stands.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse getRun(dev.meshflow.v1.GetRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the tenant's runs, newest first.
     * </pre>
     */
    public dev.meshflow.v1.ListRunsResponse listRuns(dev.meshflow.v1.ListRunsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRunsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until the run ends, pauses or the timeout passes, and returns it as it stands then.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse waitRun(dev.meshflow.v1.WaitRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWaitRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams a run's events from any point, during and after the run, without loss or repetition. REST: GET /v1/runs/{run_id}/events.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.meshflow.v1.RunEvent>
        watchRun(dev.meshflow.v1.WatchRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels a run and returns when it has ended; a run that already ended is returned unchanged. REST: POST /v1/runs/{run_id}:cancel.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse cancelRun(dev.meshflow.v1.CancelRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks a request before it runs: effective policy, every violated rule, estimates. Nothing is executed. REST: POST /v1/runs:check.
     * </pre>
     */
    public dev.meshflow.v1.CheckRunResponse checkRun(dev.meshflow.v1.RunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCheckRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Compares two runs node by node; deltas are B minus A.
     * </pre>
     */
    public dev.meshflow.v1.DiffRunsResponse diffRuns(dev.meshflow.v1.DiffRunsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDiffRunsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Starts a new run that has what an earlier run committed before some point, and goes on by itself from there. The earlier run
     * is not changed. Returns when the start is durable. REST: POST /v1/runs/{run_id}:fork.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse forkRun(dev.meshflow.v1.ForkRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getForkRunMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service RunService.
   * <pre>
   * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
   * </pre>
   */
  public static final class RunServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<RunServiceBlockingStub> {
    private RunServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Executes a run and waits until it is completed, blocked, failed, rejected, cancelled or paused. REST: POST /run.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse run(dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Executes a run and streams its events; the last one is run_completed, or gate_paused when the run waits. REST: POST /stream.
     * </pre>
     */
    public java.util.Iterator<dev.meshflow.v1.RunEvent> streamRun(
        dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getStreamRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Starts a run and returns at once; the run goes on without the caller. REST: POST /v1/runs.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse createRun(dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns a run as it stands.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse getRun(dev.meshflow.v1.GetRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the tenant's runs, newest first.
     * </pre>
     */
    public dev.meshflow.v1.ListRunsResponse listRuns(dev.meshflow.v1.ListRunsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRunsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until the run ends, pauses or the timeout passes, and returns it as it stands then.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse waitRun(dev.meshflow.v1.WaitRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWaitRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams a run's events from any point, during and after the run, without loss or repetition. REST: GET /v1/runs/{run_id}/events.
     * </pre>
     */
    public java.util.Iterator<dev.meshflow.v1.RunEvent> watchRun(
        dev.meshflow.v1.WatchRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels a run and returns when it has ended; a run that already ended is returned unchanged. REST: POST /v1/runs/{run_id}:cancel.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse cancelRun(dev.meshflow.v1.CancelRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks a request before it runs: effective policy, every violated rule, estimates. Nothing is executed. REST: POST /v1/runs:check.
     * </pre>
     */
    public dev.meshflow.v1.CheckRunResponse checkRun(dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCheckRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Compares two runs node by node; deltas are B minus A.
     * </pre>
     */
    public dev.meshflow.v1.DiffRunsResponse diffRuns(dev.meshflow.v1.DiffRunsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDiffRunsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Starts a new run that has what an earlier run committed before some point, and goes on by itself from there. The earlier run
     * is not changed. Returns when the start is durable. REST: POST /v1/runs/{run_id}:fork.
     * </pre>
     */
    public dev.meshflow.v1.RunResponse forkRun(dev.meshflow.v1.ForkRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getForkRunMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service RunService.
   * <pre>
   * Governed runs. A refusal by governance is an outcome, not an RPC error: once a run exists the RPC is OK and `status` tells.
   * </pre>
   */
  public static final class RunServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<RunServiceFutureStub> {
    private RunServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RunServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RunServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Executes a run and waits until it is completed, blocked, failed, rejected, cancelled or paused. REST: POST /run.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.RunResponse> run(
        dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Starts a run and returns at once; the run goes on without the caller. REST: POST /v1/runs.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.RunResponse> createRun(
        dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns a run as it stands.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.RunResponse> getRun(
        dev.meshflow.v1.GetRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the tenant's runs, newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.ListRunsResponse> listRuns(
        dev.meshflow.v1.ListRunsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRunsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Waits until the run ends, pauses or the timeout passes, and returns it as it stands then.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.RunResponse> waitRun(
        dev.meshflow.v1.WaitRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWaitRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Cancels a run and returns when it has ended; a run that already ended is returned unchanged. REST: POST /v1/runs/{run_id}:cancel.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.RunResponse> cancelRun(
        dev.meshflow.v1.CancelRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Checks a request before it runs: effective policy, every violated rule, estimates. Nothing is executed. REST: POST /v1/runs:check.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.CheckRunResponse> checkRun(
        dev.meshflow.v1.RunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCheckRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Compares two runs node by node; deltas are B minus A.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.DiffRunsResponse> diffRuns(
        dev.meshflow.v1.DiffRunsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDiffRunsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Starts a new run that has what an earlier run committed before some point, and goes on by itself from there. The earlier run
     * is not changed. Returns when the start is durable. REST: POST /v1/runs/{run_id}:fork.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.RunResponse> forkRun(
        dev.meshflow.v1.ForkRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getForkRunMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_RUN = 0;
  private static final int METHODID_STREAM_RUN = 1;
  private static final int METHODID_CREATE_RUN = 2;
  private static final int METHODID_GET_RUN = 3;
  private static final int METHODID_LIST_RUNS = 4;
  private static final int METHODID_WAIT_RUN = 5;
  private static final int METHODID_WATCH_RUN = 6;
  private static final int METHODID_CANCEL_RUN = 7;
  private static final int METHODID_CHECK_RUN = 8;
  private static final int METHODID_DIFF_RUNS = 9;
  private static final int METHODID_FORK_RUN = 10;

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
        case METHODID_RUN:
          serviceImpl.run((dev.meshflow.v1.RunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse>) responseObserver);
          break;
        case METHODID_STREAM_RUN:
          serviceImpl.streamRun((dev.meshflow.v1.RunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunEvent>) responseObserver);
          break;
        case METHODID_CREATE_RUN:
          serviceImpl.createRun((dev.meshflow.v1.RunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse>) responseObserver);
          break;
        case METHODID_GET_RUN:
          serviceImpl.getRun((dev.meshflow.v1.GetRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse>) responseObserver);
          break;
        case METHODID_LIST_RUNS:
          serviceImpl.listRuns((dev.meshflow.v1.ListRunsRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.ListRunsResponse>) responseObserver);
          break;
        case METHODID_WAIT_RUN:
          serviceImpl.waitRun((dev.meshflow.v1.WaitRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse>) responseObserver);
          break;
        case METHODID_WATCH_RUN:
          serviceImpl.watchRun((dev.meshflow.v1.WatchRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunEvent>) responseObserver);
          break;
        case METHODID_CANCEL_RUN:
          serviceImpl.cancelRun((dev.meshflow.v1.CancelRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse>) responseObserver);
          break;
        case METHODID_CHECK_RUN:
          serviceImpl.checkRun((dev.meshflow.v1.RunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.CheckRunResponse>) responseObserver);
          break;
        case METHODID_DIFF_RUNS:
          serviceImpl.diffRuns((dev.meshflow.v1.DiffRunsRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.DiffRunsResponse>) responseObserver);
          break;
        case METHODID_FORK_RUN:
          serviceImpl.forkRun((dev.meshflow.v1.ForkRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.RunResponse>) responseObserver);
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
          getRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.RunRequest,
              dev.meshflow.v1.RunResponse>(
                service, METHODID_RUN)))
        .addMethod(
          getStreamRunMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.meshflow.v1.RunRequest,
              dev.meshflow.v1.RunEvent>(
                service, METHODID_STREAM_RUN)))
        .addMethod(
          getCreateRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.RunRequest,
              dev.meshflow.v1.RunResponse>(
                service, METHODID_CREATE_RUN)))
        .addMethod(
          getGetRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetRunRequest,
              dev.meshflow.v1.RunResponse>(
                service, METHODID_GET_RUN)))
        .addMethod(
          getListRunsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ListRunsRequest,
              dev.meshflow.v1.ListRunsResponse>(
                service, METHODID_LIST_RUNS)))
        .addMethod(
          getWaitRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.WaitRunRequest,
              dev.meshflow.v1.RunResponse>(
                service, METHODID_WAIT_RUN)))
        .addMethod(
          getWatchRunMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.meshflow.v1.WatchRunRequest,
              dev.meshflow.v1.RunEvent>(
                service, METHODID_WATCH_RUN)))
        .addMethod(
          getCancelRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.CancelRunRequest,
              dev.meshflow.v1.RunResponse>(
                service, METHODID_CANCEL_RUN)))
        .addMethod(
          getCheckRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.RunRequest,
              dev.meshflow.v1.CheckRunResponse>(
                service, METHODID_CHECK_RUN)))
        .addMethod(
          getDiffRunsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.DiffRunsRequest,
              dev.meshflow.v1.DiffRunsResponse>(
                service, METHODID_DIFF_RUNS)))
        .addMethod(
          getForkRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ForkRunRequest,
              dev.meshflow.v1.RunResponse>(
                service, METHODID_FORK_RUN)))
        .build();
  }

  private static abstract class RunServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    RunServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.meshflow.v1.RunServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("RunService");
    }
  }

  private static final class RunServiceFileDescriptorSupplier
      extends RunServiceBaseDescriptorSupplier {
    RunServiceFileDescriptorSupplier() {}
  }

  private static final class RunServiceMethodDescriptorSupplier
      extends RunServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    RunServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (RunServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new RunServiceFileDescriptorSupplier())
              .addMethod(getRunMethod())
              .addMethod(getStreamRunMethod())
              .addMethod(getCreateRunMethod())
              .addMethod(getGetRunMethod())
              .addMethod(getListRunsMethod())
              .addMethod(getWaitRunMethod())
              .addMethod(getWatchRunMethod())
              .addMethod(getCancelRunMethod())
              .addMethod(getCheckRunMethod())
              .addMethod(getDiffRunsMethod())
              .addMethod(getForkRunMethod())
              .build();
        }
      }
    }
    return result;
  }
}
