package dev.meshflow.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * The evidence: what was recorded, and whether it is intact.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class LedgerServiceGrpc {

  private LedgerServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "meshflow.v1.LedgerService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ListEntriesRequest,
      dev.meshflow.v1.ListEntriesResponse> getListEntriesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListEntries",
      requestType = dev.meshflow.v1.ListEntriesRequest.class,
      responseType = dev.meshflow.v1.ListEntriesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ListEntriesRequest,
      dev.meshflow.v1.ListEntriesResponse> getListEntriesMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ListEntriesRequest, dev.meshflow.v1.ListEntriesResponse> getListEntriesMethod;
    if ((getListEntriesMethod = LedgerServiceGrpc.getListEntriesMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getListEntriesMethod = LedgerServiceGrpc.getListEntriesMethod) == null) {
          LedgerServiceGrpc.getListEntriesMethod = getListEntriesMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ListEntriesRequest, dev.meshflow.v1.ListEntriesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListEntries"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListEntriesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListEntriesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("ListEntries"))
              .build();
        }
      }
    }
    return getListEntriesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.VerifyRunRequest,
      dev.meshflow.v1.VerifyRunResponse> getVerifyRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "VerifyRun",
      requestType = dev.meshflow.v1.VerifyRunRequest.class,
      responseType = dev.meshflow.v1.VerifyRunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.VerifyRunRequest,
      dev.meshflow.v1.VerifyRunResponse> getVerifyRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.VerifyRunRequest, dev.meshflow.v1.VerifyRunResponse> getVerifyRunMethod;
    if ((getVerifyRunMethod = LedgerServiceGrpc.getVerifyRunMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getVerifyRunMethod = LedgerServiceGrpc.getVerifyRunMethod) == null) {
          LedgerServiceGrpc.getVerifyRunMethod = getVerifyRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.VerifyRunRequest, dev.meshflow.v1.VerifyRunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "VerifyRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.VerifyRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.VerifyRunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("VerifyRun"))
              .build();
        }
      }
    }
    return getVerifyRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetTreeHeadRequest,
      dev.meshflow.v1.GetTreeHeadResponse> getGetTreeHeadMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetTreeHead",
      requestType = dev.meshflow.v1.GetTreeHeadRequest.class,
      responseType = dev.meshflow.v1.GetTreeHeadResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetTreeHeadRequest,
      dev.meshflow.v1.GetTreeHeadResponse> getGetTreeHeadMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetTreeHeadRequest, dev.meshflow.v1.GetTreeHeadResponse> getGetTreeHeadMethod;
    if ((getGetTreeHeadMethod = LedgerServiceGrpc.getGetTreeHeadMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getGetTreeHeadMethod = LedgerServiceGrpc.getGetTreeHeadMethod) == null) {
          LedgerServiceGrpc.getGetTreeHeadMethod = getGetTreeHeadMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetTreeHeadRequest, dev.meshflow.v1.GetTreeHeadResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetTreeHead"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetTreeHeadRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetTreeHeadResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("GetTreeHead"))
              .build();
        }
      }
    }
    return getGetTreeHeadMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetInclusionProofRequest,
      dev.meshflow.v1.GetInclusionProofResponse> getGetInclusionProofMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetInclusionProof",
      requestType = dev.meshflow.v1.GetInclusionProofRequest.class,
      responseType = dev.meshflow.v1.GetInclusionProofResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetInclusionProofRequest,
      dev.meshflow.v1.GetInclusionProofResponse> getGetInclusionProofMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetInclusionProofRequest, dev.meshflow.v1.GetInclusionProofResponse> getGetInclusionProofMethod;
    if ((getGetInclusionProofMethod = LedgerServiceGrpc.getGetInclusionProofMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getGetInclusionProofMethod = LedgerServiceGrpc.getGetInclusionProofMethod) == null) {
          LedgerServiceGrpc.getGetInclusionProofMethod = getGetInclusionProofMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetInclusionProofRequest, dev.meshflow.v1.GetInclusionProofResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetInclusionProof"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetInclusionProofRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetInclusionProofResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("GetInclusionProof"))
              .build();
        }
      }
    }
    return getGetInclusionProofMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetConsistencyProofRequest,
      dev.meshflow.v1.GetConsistencyProofResponse> getGetConsistencyProofMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetConsistencyProof",
      requestType = dev.meshflow.v1.GetConsistencyProofRequest.class,
      responseType = dev.meshflow.v1.GetConsistencyProofResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetConsistencyProofRequest,
      dev.meshflow.v1.GetConsistencyProofResponse> getGetConsistencyProofMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetConsistencyProofRequest, dev.meshflow.v1.GetConsistencyProofResponse> getGetConsistencyProofMethod;
    if ((getGetConsistencyProofMethod = LedgerServiceGrpc.getGetConsistencyProofMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getGetConsistencyProofMethod = LedgerServiceGrpc.getGetConsistencyProofMethod) == null) {
          LedgerServiceGrpc.getGetConsistencyProofMethod = getGetConsistencyProofMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetConsistencyProofRequest, dev.meshflow.v1.GetConsistencyProofResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetConsistencyProof"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetConsistencyProofRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetConsistencyProofResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("GetConsistencyProof"))
              .build();
        }
      }
    }
    return getGetConsistencyProofMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ExportRunRequest,
      com.google.api.HttpBody> getExportRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ExportRun",
      requestType = dev.meshflow.v1.ExportRunRequest.class,
      responseType = com.google.api.HttpBody.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ExportRunRequest,
      com.google.api.HttpBody> getExportRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ExportRunRequest, com.google.api.HttpBody> getExportRunMethod;
    if ((getExportRunMethod = LedgerServiceGrpc.getExportRunMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getExportRunMethod = LedgerServiceGrpc.getExportRunMethod) == null) {
          LedgerServiceGrpc.getExportRunMethod = getExportRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ExportRunRequest, com.google.api.HttpBody>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ExportRun"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ExportRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  com.google.api.HttpBody.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("ExportRun"))
              .build();
        }
      }
    }
    return getExportRunMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.EraseRunRequest,
      dev.meshflow.v1.EraseRunResponse> getEraseRunMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "EraseRun",
      requestType = dev.meshflow.v1.EraseRunRequest.class,
      responseType = dev.meshflow.v1.EraseRunResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.EraseRunRequest,
      dev.meshflow.v1.EraseRunResponse> getEraseRunMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.EraseRunRequest, dev.meshflow.v1.EraseRunResponse> getEraseRunMethod;
    if ((getEraseRunMethod = LedgerServiceGrpc.getEraseRunMethod) == null) {
      synchronized (LedgerServiceGrpc.class) {
        if ((getEraseRunMethod = LedgerServiceGrpc.getEraseRunMethod) == null) {
          LedgerServiceGrpc.getEraseRunMethod = getEraseRunMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.EraseRunRequest, dev.meshflow.v1.EraseRunResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "EraseRun"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.EraseRunRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.EraseRunResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LedgerServiceMethodDescriptorSupplier("EraseRun"))
              .build();
        }
      }
    }
    return getEraseRunMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static LedgerServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LedgerServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LedgerServiceStub>() {
        @java.lang.Override
        public LedgerServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LedgerServiceStub(channel, callOptions);
        }
      };
    return LedgerServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static LedgerServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LedgerServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LedgerServiceBlockingV2Stub>() {
        @java.lang.Override
        public LedgerServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LedgerServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return LedgerServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static LedgerServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LedgerServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LedgerServiceBlockingStub>() {
        @java.lang.Override
        public LedgerServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LedgerServiceBlockingStub(channel, callOptions);
        }
      };
    return LedgerServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static LedgerServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LedgerServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LedgerServiceFutureStub>() {
        @java.lang.Override
        public LedgerServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LedgerServiceFutureStub(channel, callOptions);
        }
      };
    return LedgerServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * The evidence: what was recorded, and whether it is intact.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Lists the entries of a run in order.
     * </pre>
     */
    default void listEntries(dev.meshflow.v1.ListEntriesRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListEntriesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListEntriesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Verifies a run's chain: every hash, link, payload commitment and index column, and that its entries are in the signed log.
     * </pre>
     */
    default void verifyRun(dev.meshflow.v1.VerifyRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.VerifyRunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getVerifyRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the newest signed head of the log; it covers every entry that was recorded before the call.
     * </pre>
     */
    default void getTreeHead(dev.meshflow.v1.GetTreeHeadRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetTreeHeadResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetTreeHeadMethod(), responseObserver);
    }

    /**
     * <pre>
     * Proves that an entry is in the log.
     * </pre>
     */
    default void getInclusionProof(dev.meshflow.v1.GetInclusionProofRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetInclusionProofResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetInclusionProofMethod(), responseObserver);
    }

    /**
     * <pre>
     * Proves that the log at one size is a prefix of the log at a later one.
     * </pre>
     */
    default void getConsistencyProof(dev.meshflow.v1.GetConsistencyProofRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetConsistencyProofResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetConsistencyProofMethod(), responseObserver);
    }

    /**
     * <pre>
     * Exports a run as a file, in pieces: JSON, CSV, or an evidence bundle that `meshflow audit verify` checks offline.
     * </pre>
     */
    default void exportRun(dev.meshflow.v1.ExportRunRequest request,
        io.grpc.stub.StreamObserver<com.google.api.HttpBody> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExportRunMethod(), responseObserver);
    }

    /**
     * <pre>
     * Removes what people wrote from a run that has ended (`anonymize`), or the run itself (`delete`), for good. The log stays whole, and
     * says who erased, when and why.
     * REST: POST /v1/runs/{run_id}:erase.
     * </pre>
     */
    default void eraseRun(dev.meshflow.v1.EraseRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.EraseRunResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getEraseRunMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service LedgerService.
   * <pre>
   * The evidence: what was recorded, and whether it is intact.
   * </pre>
   */
  public static abstract class LedgerServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return LedgerServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service LedgerService.
   * <pre>
   * The evidence: what was recorded, and whether it is intact.
   * </pre>
   */
  public static final class LedgerServiceStub
      extends io.grpc.stub.AbstractAsyncStub<LedgerServiceStub> {
    private LedgerServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LedgerServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LedgerServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the entries of a run in order.
     * </pre>
     */
    public void listEntries(dev.meshflow.v1.ListEntriesRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListEntriesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListEntriesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Verifies a run's chain: every hash, link, payload commitment and index column, and that its entries are in the signed log.
     * </pre>
     */
    public void verifyRun(dev.meshflow.v1.VerifyRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.VerifyRunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getVerifyRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the newest signed head of the log; it covers every entry that was recorded before the call.
     * </pre>
     */
    public void getTreeHead(dev.meshflow.v1.GetTreeHeadRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetTreeHeadResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetTreeHeadMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Proves that an entry is in the log.
     * </pre>
     */
    public void getInclusionProof(dev.meshflow.v1.GetInclusionProofRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetInclusionProofResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetInclusionProofMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Proves that the log at one size is a prefix of the log at a later one.
     * </pre>
     */
    public void getConsistencyProof(dev.meshflow.v1.GetConsistencyProofRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.GetConsistencyProofResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetConsistencyProofMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Exports a run as a file, in pieces: JSON, CSV, or an evidence bundle that `meshflow audit verify` checks offline.
     * </pre>
     */
    public void exportRun(dev.meshflow.v1.ExportRunRequest request,
        io.grpc.stub.StreamObserver<com.google.api.HttpBody> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getExportRunMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Removes what people wrote from a run that has ended (`anonymize`), or the run itself (`delete`), for good. The log stays whole, and
     * says who erased, when and why.
     * REST: POST /v1/runs/{run_id}:erase.
     * </pre>
     */
    public void eraseRun(dev.meshflow.v1.EraseRunRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.EraseRunResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getEraseRunMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service LedgerService.
   * <pre>
   * The evidence: what was recorded, and whether it is intact.
   * </pre>
   */
  public static final class LedgerServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<LedgerServiceBlockingV2Stub> {
    private LedgerServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LedgerServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LedgerServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the entries of a run in order.
     * </pre>
     */
    public dev.meshflow.v1.ListEntriesResponse listEntries(dev.meshflow.v1.ListEntriesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListEntriesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Verifies a run's chain: every hash, link, payload commitment and index column, and that its entries are in the signed log.
     * </pre>
     */
    public dev.meshflow.v1.VerifyRunResponse verifyRun(dev.meshflow.v1.VerifyRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getVerifyRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the newest signed head of the log; it covers every entry that was recorded before the call.
     * </pre>
     */
    public dev.meshflow.v1.GetTreeHeadResponse getTreeHead(dev.meshflow.v1.GetTreeHeadRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetTreeHeadMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Proves that an entry is in the log.
     * </pre>
     */
    public dev.meshflow.v1.GetInclusionProofResponse getInclusionProof(dev.meshflow.v1.GetInclusionProofRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetInclusionProofMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Proves that the log at one size is a prefix of the log at a later one.
     * </pre>
     */
    public dev.meshflow.v1.GetConsistencyProofResponse getConsistencyProof(dev.meshflow.v1.GetConsistencyProofRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetConsistencyProofMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Exports a run as a file, in pieces: JSON, CSV, or an evidence bundle that `meshflow audit verify` checks offline.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, com.google.api.HttpBody>
        exportRun(dev.meshflow.v1.ExportRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getExportRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes what people wrote from a run that has ended (`anonymize`), or the run itself (`delete`), for good. The log stays whole, and
     * says who erased, when and why.
     * REST: POST /v1/runs/{run_id}:erase.
     * </pre>
     */
    public dev.meshflow.v1.EraseRunResponse eraseRun(dev.meshflow.v1.EraseRunRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getEraseRunMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service LedgerService.
   * <pre>
   * The evidence: what was recorded, and whether it is intact.
   * </pre>
   */
  public static final class LedgerServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<LedgerServiceBlockingStub> {
    private LedgerServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LedgerServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LedgerServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the entries of a run in order.
     * </pre>
     */
    public dev.meshflow.v1.ListEntriesResponse listEntries(dev.meshflow.v1.ListEntriesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListEntriesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Verifies a run's chain: every hash, link, payload commitment and index column, and that its entries are in the signed log.
     * </pre>
     */
    public dev.meshflow.v1.VerifyRunResponse verifyRun(dev.meshflow.v1.VerifyRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getVerifyRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the newest signed head of the log; it covers every entry that was recorded before the call.
     * </pre>
     */
    public dev.meshflow.v1.GetTreeHeadResponse getTreeHead(dev.meshflow.v1.GetTreeHeadRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetTreeHeadMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Proves that an entry is in the log.
     * </pre>
     */
    public dev.meshflow.v1.GetInclusionProofResponse getInclusionProof(dev.meshflow.v1.GetInclusionProofRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetInclusionProofMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Proves that the log at one size is a prefix of the log at a later one.
     * </pre>
     */
    public dev.meshflow.v1.GetConsistencyProofResponse getConsistencyProof(dev.meshflow.v1.GetConsistencyProofRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetConsistencyProofMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Exports a run as a file, in pieces: JSON, CSV, or an evidence bundle that `meshflow audit verify` checks offline.
     * </pre>
     */
    public java.util.Iterator<com.google.api.HttpBody> exportRun(
        dev.meshflow.v1.ExportRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getExportRunMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes what people wrote from a run that has ended (`anonymize`), or the run itself (`delete`), for good. The log stays whole, and
     * says who erased, when and why.
     * REST: POST /v1/runs/{run_id}:erase.
     * </pre>
     */
    public dev.meshflow.v1.EraseRunResponse eraseRun(dev.meshflow.v1.EraseRunRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getEraseRunMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service LedgerService.
   * <pre>
   * The evidence: what was recorded, and whether it is intact.
   * </pre>
   */
  public static final class LedgerServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<LedgerServiceFutureStub> {
    private LedgerServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LedgerServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LedgerServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the entries of a run in order.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.ListEntriesResponse> listEntries(
        dev.meshflow.v1.ListEntriesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListEntriesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Verifies a run's chain: every hash, link, payload commitment and index column, and that its entries are in the signed log.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.VerifyRunResponse> verifyRun(
        dev.meshflow.v1.VerifyRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getVerifyRunMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the newest signed head of the log; it covers every entry that was recorded before the call.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.GetTreeHeadResponse> getTreeHead(
        dev.meshflow.v1.GetTreeHeadRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetTreeHeadMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Proves that an entry is in the log.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.GetInclusionProofResponse> getInclusionProof(
        dev.meshflow.v1.GetInclusionProofRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetInclusionProofMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Proves that the log at one size is a prefix of the log at a later one.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.GetConsistencyProofResponse> getConsistencyProof(
        dev.meshflow.v1.GetConsistencyProofRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetConsistencyProofMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Removes what people wrote from a run that has ended (`anonymize`), or the run itself (`delete`), for good. The log stays whole, and
     * says who erased, when and why.
     * REST: POST /v1/runs/{run_id}:erase.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.EraseRunResponse> eraseRun(
        dev.meshflow.v1.EraseRunRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getEraseRunMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_LIST_ENTRIES = 0;
  private static final int METHODID_VERIFY_RUN = 1;
  private static final int METHODID_GET_TREE_HEAD = 2;
  private static final int METHODID_GET_INCLUSION_PROOF = 3;
  private static final int METHODID_GET_CONSISTENCY_PROOF = 4;
  private static final int METHODID_EXPORT_RUN = 5;
  private static final int METHODID_ERASE_RUN = 6;

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
        case METHODID_LIST_ENTRIES:
          serviceImpl.listEntries((dev.meshflow.v1.ListEntriesRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.ListEntriesResponse>) responseObserver);
          break;
        case METHODID_VERIFY_RUN:
          serviceImpl.verifyRun((dev.meshflow.v1.VerifyRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.VerifyRunResponse>) responseObserver);
          break;
        case METHODID_GET_TREE_HEAD:
          serviceImpl.getTreeHead((dev.meshflow.v1.GetTreeHeadRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.GetTreeHeadResponse>) responseObserver);
          break;
        case METHODID_GET_INCLUSION_PROOF:
          serviceImpl.getInclusionProof((dev.meshflow.v1.GetInclusionProofRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.GetInclusionProofResponse>) responseObserver);
          break;
        case METHODID_GET_CONSISTENCY_PROOF:
          serviceImpl.getConsistencyProof((dev.meshflow.v1.GetConsistencyProofRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.GetConsistencyProofResponse>) responseObserver);
          break;
        case METHODID_EXPORT_RUN:
          serviceImpl.exportRun((dev.meshflow.v1.ExportRunRequest) request,
              (io.grpc.stub.StreamObserver<com.google.api.HttpBody>) responseObserver);
          break;
        case METHODID_ERASE_RUN:
          serviceImpl.eraseRun((dev.meshflow.v1.EraseRunRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.EraseRunResponse>) responseObserver);
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
          getListEntriesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ListEntriesRequest,
              dev.meshflow.v1.ListEntriesResponse>(
                service, METHODID_LIST_ENTRIES)))
        .addMethod(
          getVerifyRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.VerifyRunRequest,
              dev.meshflow.v1.VerifyRunResponse>(
                service, METHODID_VERIFY_RUN)))
        .addMethod(
          getGetTreeHeadMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetTreeHeadRequest,
              dev.meshflow.v1.GetTreeHeadResponse>(
                service, METHODID_GET_TREE_HEAD)))
        .addMethod(
          getGetInclusionProofMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetInclusionProofRequest,
              dev.meshflow.v1.GetInclusionProofResponse>(
                service, METHODID_GET_INCLUSION_PROOF)))
        .addMethod(
          getGetConsistencyProofMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetConsistencyProofRequest,
              dev.meshflow.v1.GetConsistencyProofResponse>(
                service, METHODID_GET_CONSISTENCY_PROOF)))
        .addMethod(
          getExportRunMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.meshflow.v1.ExportRunRequest,
              com.google.api.HttpBody>(
                service, METHODID_EXPORT_RUN)))
        .addMethod(
          getEraseRunMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.EraseRunRequest,
              dev.meshflow.v1.EraseRunResponse>(
                service, METHODID_ERASE_RUN)))
        .build();
  }

  private static abstract class LedgerServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    LedgerServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.meshflow.v1.LedgerServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("LedgerService");
    }
  }

  private static final class LedgerServiceFileDescriptorSupplier
      extends LedgerServiceBaseDescriptorSupplier {
    LedgerServiceFileDescriptorSupplier() {}
  }

  private static final class LedgerServiceMethodDescriptorSupplier
      extends LedgerServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    LedgerServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (LedgerServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new LedgerServiceFileDescriptorSupplier())
              .addMethod(getListEntriesMethod())
              .addMethod(getVerifyRunMethod())
              .addMethod(getGetTreeHeadMethod())
              .addMethod(getGetInclusionProofMethod())
              .addMethod(getGetConsistencyProofMethod())
              .addMethod(getExportRunMethod())
              .addMethod(getEraseRunMethod())
              .build();
        }
      }
    }
    return result;
  }
}
