package dev.meshflow.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class WorkflowServiceGrpc {

  private WorkflowServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "meshflow.v1.WorkflowService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.PutWorkflowRequest,
      dev.meshflow.v1.Workflow> getPutWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "PutWorkflow",
      requestType = dev.meshflow.v1.PutWorkflowRequest.class,
      responseType = dev.meshflow.v1.Workflow.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.PutWorkflowRequest,
      dev.meshflow.v1.Workflow> getPutWorkflowMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.PutWorkflowRequest, dev.meshflow.v1.Workflow> getPutWorkflowMethod;
    if ((getPutWorkflowMethod = WorkflowServiceGrpc.getPutWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getPutWorkflowMethod = WorkflowServiceGrpc.getPutWorkflowMethod) == null) {
          WorkflowServiceGrpc.getPutWorkflowMethod = getPutWorkflowMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.PutWorkflowRequest, dev.meshflow.v1.Workflow>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "PutWorkflow"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.PutWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.Workflow.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("PutWorkflow"))
              .build();
        }
      }
    }
    return getPutWorkflowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.GetWorkflowRequest,
      dev.meshflow.v1.Workflow> getGetWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetWorkflow",
      requestType = dev.meshflow.v1.GetWorkflowRequest.class,
      responseType = dev.meshflow.v1.Workflow.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.GetWorkflowRequest,
      dev.meshflow.v1.Workflow> getGetWorkflowMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.GetWorkflowRequest, dev.meshflow.v1.Workflow> getGetWorkflowMethod;
    if ((getGetWorkflowMethod = WorkflowServiceGrpc.getGetWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getGetWorkflowMethod = WorkflowServiceGrpc.getGetWorkflowMethod) == null) {
          WorkflowServiceGrpc.getGetWorkflowMethod = getGetWorkflowMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.GetWorkflowRequest, dev.meshflow.v1.Workflow>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetWorkflow"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.GetWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.Workflow.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("GetWorkflow"))
              .build();
        }
      }
    }
    return getGetWorkflowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ListWorkflowsRequest,
      dev.meshflow.v1.ListWorkflowsResponse> getListWorkflowsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListWorkflows",
      requestType = dev.meshflow.v1.ListWorkflowsRequest.class,
      responseType = dev.meshflow.v1.ListWorkflowsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ListWorkflowsRequest,
      dev.meshflow.v1.ListWorkflowsResponse> getListWorkflowsMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ListWorkflowsRequest, dev.meshflow.v1.ListWorkflowsResponse> getListWorkflowsMethod;
    if ((getListWorkflowsMethod = WorkflowServiceGrpc.getListWorkflowsMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getListWorkflowsMethod = WorkflowServiceGrpc.getListWorkflowsMethod) == null) {
          WorkflowServiceGrpc.getListWorkflowsMethod = getListWorkflowsMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ListWorkflowsRequest, dev.meshflow.v1.ListWorkflowsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListWorkflows"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListWorkflowsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ListWorkflowsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("ListWorkflows"))
              .build();
        }
      }
    }
    return getListWorkflowsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ApproveWorkflowRequest,
      dev.meshflow.v1.WorkflowApproval> getApproveWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ApproveWorkflow",
      requestType = dev.meshflow.v1.ApproveWorkflowRequest.class,
      responseType = dev.meshflow.v1.WorkflowApproval.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ApproveWorkflowRequest,
      dev.meshflow.v1.WorkflowApproval> getApproveWorkflowMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ApproveWorkflowRequest, dev.meshflow.v1.WorkflowApproval> getApproveWorkflowMethod;
    if ((getApproveWorkflowMethod = WorkflowServiceGrpc.getApproveWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getApproveWorkflowMethod = WorkflowServiceGrpc.getApproveWorkflowMethod) == null) {
          WorkflowServiceGrpc.getApproveWorkflowMethod = getApproveWorkflowMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ApproveWorkflowRequest, dev.meshflow.v1.WorkflowApproval>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ApproveWorkflow"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ApproveWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.WorkflowApproval.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("ApproveWorkflow"))
              .build();
        }
      }
    }
    return getApproveWorkflowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.meshflow.v1.ValidateWorkflowRequest,
      dev.meshflow.v1.WorkflowValidation> getValidateWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ValidateWorkflow",
      requestType = dev.meshflow.v1.ValidateWorkflowRequest.class,
      responseType = dev.meshflow.v1.WorkflowValidation.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.meshflow.v1.ValidateWorkflowRequest,
      dev.meshflow.v1.WorkflowValidation> getValidateWorkflowMethod() {
    io.grpc.MethodDescriptor<dev.meshflow.v1.ValidateWorkflowRequest, dev.meshflow.v1.WorkflowValidation> getValidateWorkflowMethod;
    if ((getValidateWorkflowMethod = WorkflowServiceGrpc.getValidateWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getValidateWorkflowMethod = WorkflowServiceGrpc.getValidateWorkflowMethod) == null) {
          WorkflowServiceGrpc.getValidateWorkflowMethod = getValidateWorkflowMethod =
              io.grpc.MethodDescriptor.<dev.meshflow.v1.ValidateWorkflowRequest, dev.meshflow.v1.WorkflowValidation>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ValidateWorkflow"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.ValidateWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.meshflow.v1.WorkflowValidation.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("ValidateWorkflow"))
              .build();
        }
      }
    }
    return getValidateWorkflowMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static WorkflowServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceStub>() {
        @java.lang.Override
        public WorkflowServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceStub(channel, callOptions);
        }
      };
    return WorkflowServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static WorkflowServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingV2Stub>() {
        @java.lang.Override
        public WorkflowServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return WorkflowServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static WorkflowServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingStub>() {
        @java.lang.Override
        public WorkflowServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceBlockingStub(channel, callOptions);
        }
      };
    return WorkflowServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static WorkflowServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceFutureStub>() {
        @java.lang.Override
        public WorkflowServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceFutureStub(channel, callOptions);
        }
      };
    return WorkflowServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Registers a version of a workflow, once: the same again changes nothing, another definition under the same name and version is refused.
     * REST: POST /v1/workflows.
     * </pre>
     */
    default void putWorkflow(dev.meshflow.v1.PutWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.Workflow> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPutWorkflowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns a workflow, also one that ships with the server.
     * </pre>
     */
    default void getWorkflow(dev.meshflow.v1.GetWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.Workflow> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetWorkflowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the newest version of each workflow by name, those that ship with the server included; with name all versions of that one.
     * </pre>
     */
    default void listWorkflows(dev.meshflow.v1.ListWorkflowsRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListWorkflowsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListWorkflowsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Approves what a workflow is now, with its subgraphs and the policy that this server holds its runs to: a second person's word for profile
     * sox. The same again changes nothing. REST: POST /v1/workflows/{name}:approve.
     * </pre>
     */
    default void approveWorkflow(dev.meshflow.v1.ApproveWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.WorkflowApproval> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getApproveWorkflowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Checks a definition as PutWorkflow and a run would; nothing is kept. REST: POST /v1/workflows:validate.
     * </pre>
     */
    default void validateWorkflow(dev.meshflow.v1.ValidateWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.WorkflowValidation> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getValidateWorkflowMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service WorkflowService.
   * <pre>
   * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
   * </pre>
   */
  public static abstract class WorkflowServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return WorkflowServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service WorkflowService.
   * <pre>
   * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
   * </pre>
   */
  public static final class WorkflowServiceStub
      extends io.grpc.stub.AbstractAsyncStub<WorkflowServiceStub> {
    private WorkflowServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a version of a workflow, once: the same again changes nothing, another definition under the same name and version is refused.
     * REST: POST /v1/workflows.
     * </pre>
     */
    public void putWorkflow(dev.meshflow.v1.PutWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.Workflow> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPutWorkflowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns a workflow, also one that ships with the server.
     * </pre>
     */
    public void getWorkflow(dev.meshflow.v1.GetWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.Workflow> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetWorkflowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the newest version of each workflow by name, those that ship with the server included; with name all versions of that one.
     * </pre>
     */
    public void listWorkflows(dev.meshflow.v1.ListWorkflowsRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.ListWorkflowsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListWorkflowsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Approves what a workflow is now, with its subgraphs and the policy that this server holds its runs to: a second person's word for profile
     * sox. The same again changes nothing. REST: POST /v1/workflows/{name}:approve.
     * </pre>
     */
    public void approveWorkflow(dev.meshflow.v1.ApproveWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.WorkflowApproval> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getApproveWorkflowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Checks a definition as PutWorkflow and a run would; nothing is kept. REST: POST /v1/workflows:validate.
     * </pre>
     */
    public void validateWorkflow(dev.meshflow.v1.ValidateWorkflowRequest request,
        io.grpc.stub.StreamObserver<dev.meshflow.v1.WorkflowValidation> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getValidateWorkflowMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service WorkflowService.
   * <pre>
   * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
   * </pre>
   */
  public static final class WorkflowServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<WorkflowServiceBlockingV2Stub> {
    private WorkflowServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a version of a workflow, once: the same again changes nothing, another definition under the same name and version is refused.
     * REST: POST /v1/workflows.
     * </pre>
     */
    public dev.meshflow.v1.Workflow putWorkflow(dev.meshflow.v1.PutWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPutWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns a workflow, also one that ships with the server.
     * </pre>
     */
    public dev.meshflow.v1.Workflow getWorkflow(dev.meshflow.v1.GetWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the newest version of each workflow by name, those that ship with the server included; with name all versions of that one.
     * </pre>
     */
    public dev.meshflow.v1.ListWorkflowsResponse listWorkflows(dev.meshflow.v1.ListWorkflowsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListWorkflowsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Approves what a workflow is now, with its subgraphs and the policy that this server holds its runs to: a second person's word for profile
     * sox. The same again changes nothing. REST: POST /v1/workflows/{name}:approve.
     * </pre>
     */
    public dev.meshflow.v1.WorkflowApproval approveWorkflow(dev.meshflow.v1.ApproveWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getApproveWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks a definition as PutWorkflow and a run would; nothing is kept. REST: POST /v1/workflows:validate.
     * </pre>
     */
    public dev.meshflow.v1.WorkflowValidation validateWorkflow(dev.meshflow.v1.ValidateWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getValidateWorkflowMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service WorkflowService.
   * <pre>
   * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
   * </pre>
   */
  public static final class WorkflowServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<WorkflowServiceBlockingStub> {
    private WorkflowServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a version of a workflow, once: the same again changes nothing, another definition under the same name and version is refused.
     * REST: POST /v1/workflows.
     * </pre>
     */
    public dev.meshflow.v1.Workflow putWorkflow(dev.meshflow.v1.PutWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPutWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns a workflow, also one that ships with the server.
     * </pre>
     */
    public dev.meshflow.v1.Workflow getWorkflow(dev.meshflow.v1.GetWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the newest version of each workflow by name, those that ship with the server included; with name all versions of that one.
     * </pre>
     */
    public dev.meshflow.v1.ListWorkflowsResponse listWorkflows(dev.meshflow.v1.ListWorkflowsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListWorkflowsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Approves what a workflow is now, with its subgraphs and the policy that this server holds its runs to: a second person's word for profile
     * sox. The same again changes nothing. REST: POST /v1/workflows/{name}:approve.
     * </pre>
     */
    public dev.meshflow.v1.WorkflowApproval approveWorkflow(dev.meshflow.v1.ApproveWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getApproveWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks a definition as PutWorkflow and a run would; nothing is kept. REST: POST /v1/workflows:validate.
     * </pre>
     */
    public dev.meshflow.v1.WorkflowValidation validateWorkflow(dev.meshflow.v1.ValidateWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getValidateWorkflowMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service WorkflowService.
   * <pre>
   * Registered workflows: a tenant's definitions, kept under name and version, which runs name.
   * </pre>
   */
  public static final class WorkflowServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<WorkflowServiceFutureStub> {
    private WorkflowServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Registers a version of a workflow, once: the same again changes nothing, another definition under the same name and version is refused.
     * REST: POST /v1/workflows.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.Workflow> putWorkflow(
        dev.meshflow.v1.PutWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPutWorkflowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns a workflow, also one that ships with the server.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.Workflow> getWorkflow(
        dev.meshflow.v1.GetWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetWorkflowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the newest version of each workflow by name, those that ship with the server included; with name all versions of that one.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.ListWorkflowsResponse> listWorkflows(
        dev.meshflow.v1.ListWorkflowsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListWorkflowsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Approves what a workflow is now, with its subgraphs and the policy that this server holds its runs to: a second person's word for profile
     * sox. The same again changes nothing. REST: POST /v1/workflows/{name}:approve.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.WorkflowApproval> approveWorkflow(
        dev.meshflow.v1.ApproveWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getApproveWorkflowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Checks a definition as PutWorkflow and a run would; nothing is kept. REST: POST /v1/workflows:validate.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.meshflow.v1.WorkflowValidation> validateWorkflow(
        dev.meshflow.v1.ValidateWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getValidateWorkflowMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_PUT_WORKFLOW = 0;
  private static final int METHODID_GET_WORKFLOW = 1;
  private static final int METHODID_LIST_WORKFLOWS = 2;
  private static final int METHODID_APPROVE_WORKFLOW = 3;
  private static final int METHODID_VALIDATE_WORKFLOW = 4;

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
        case METHODID_PUT_WORKFLOW:
          serviceImpl.putWorkflow((dev.meshflow.v1.PutWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.Workflow>) responseObserver);
          break;
        case METHODID_GET_WORKFLOW:
          serviceImpl.getWorkflow((dev.meshflow.v1.GetWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.Workflow>) responseObserver);
          break;
        case METHODID_LIST_WORKFLOWS:
          serviceImpl.listWorkflows((dev.meshflow.v1.ListWorkflowsRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.ListWorkflowsResponse>) responseObserver);
          break;
        case METHODID_APPROVE_WORKFLOW:
          serviceImpl.approveWorkflow((dev.meshflow.v1.ApproveWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.WorkflowApproval>) responseObserver);
          break;
        case METHODID_VALIDATE_WORKFLOW:
          serviceImpl.validateWorkflow((dev.meshflow.v1.ValidateWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<dev.meshflow.v1.WorkflowValidation>) responseObserver);
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
          getPutWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.PutWorkflowRequest,
              dev.meshflow.v1.Workflow>(
                service, METHODID_PUT_WORKFLOW)))
        .addMethod(
          getGetWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.GetWorkflowRequest,
              dev.meshflow.v1.Workflow>(
                service, METHODID_GET_WORKFLOW)))
        .addMethod(
          getListWorkflowsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ListWorkflowsRequest,
              dev.meshflow.v1.ListWorkflowsResponse>(
                service, METHODID_LIST_WORKFLOWS)))
        .addMethod(
          getApproveWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ApproveWorkflowRequest,
              dev.meshflow.v1.WorkflowApproval>(
                service, METHODID_APPROVE_WORKFLOW)))
        .addMethod(
          getValidateWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.meshflow.v1.ValidateWorkflowRequest,
              dev.meshflow.v1.WorkflowValidation>(
                service, METHODID_VALIDATE_WORKFLOW)))
        .build();
  }

  private static abstract class WorkflowServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    WorkflowServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.meshflow.v1.WorkflowServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("WorkflowService");
    }
  }

  private static final class WorkflowServiceFileDescriptorSupplier
      extends WorkflowServiceBaseDescriptorSupplier {
    WorkflowServiceFileDescriptorSupplier() {}
  }

  private static final class WorkflowServiceMethodDescriptorSupplier
      extends WorkflowServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    WorkflowServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (WorkflowServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new WorkflowServiceFileDescriptorSupplier())
              .addMethod(getPutWorkflowMethod())
              .addMethod(getGetWorkflowMethod())
              .addMethod(getListWorkflowsMethod())
              .addMethod(getApproveWorkflowMethod())
              .addMethod(getValidateWorkflowMethod())
              .build();
        }
      }
    }
    return result;
  }
}
