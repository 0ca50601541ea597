package dev.meshflow;

import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** Says how to reach a server; made by {@link MeshflowClient#builder()}. */
public final class ClientBuilder {
    private static final int MAX_MESSAGE_BYTES = 64 << 20;
    private static final List<String> SERVICES = List.of(
            "RunService", "LedgerService", "ApprovalService", "WorkflowService", "SystemService", "MeshService");

    private String address = MeshflowClient.DEFAULT_ADDRESS;
    private String token = "";
    private ChannelCredentials credentials;
    private Duration deadline = Duration.ofSeconds(30);
    private Duration keepAlive = Duration.ofSeconds(30);
    private Duration keepAliveTimeout = Duration.ofSeconds(10);
    private int reconnects = 20;
    private Duration reconnectDelay = Duration.ofMillis(200);
    private final List<ClientInterceptor> interceptors = new ArrayList<>();

    ClientBuilder() {}

    /**
     * Names the server. Default: {@value MeshflowClient#DEFAULT_ADDRESS}.
     *
     * @param value host:port, http://host:port or https://host; the latter implies TLS
     * @return this
     */
    public ClientBuilder address(String value) {
        address = Objects.requireNonNull(value, "address");
        return this;
    }

    /**
     * Sends the token as {@code authorization: Bearer} with every call, without TLS too: use it so on the loopback only.
     *
     * @param value the token; null or empty sends none
     * @return this
     */
    public ClientBuilder token(String value) {
        token = value == null ? "" : value;
        return this;
    }

    /**
     * Dials with TLS, trusting the authorities of this Java installation.
     *
     * @return this
     */
    public ClientBuilder tls() {
        return credentials(TlsChannelCredentials.create());
    }

    /**
     * Dials with TLS, trusting the authorities in a PEM file.
     *
     * @param authorities the file
     * @return this
     * @throws IOException when the file cannot be read
     */
    public ClientBuilder tls(Path authorities) throws IOException {
        return credentials(TlsChannelCredentials.newBuilder().trustManager(authorities.toFile()).build());
    }

    /**
     * Dials with mutual TLS.
     *
     * @param authorities PEM file of the authorities to trust
     * @param certificate PEM file of the client's certificate chain
     * @param key PEM file of its private key, PKCS #8 without a password
     * @return this
     * @throws IOException when a file cannot be read
     */
    public ClientBuilder mutualTls(Path authorities, Path certificate, Path key) throws IOException {
        return credentials(TlsChannelCredentials.newBuilder()
                .trustManager(authorities.toFile())
                .keyManager(certificate.toFile(), key.toFile())
                .build());
    }

    /**
     * Dials with credentials of another kind, for example keys from a hardware module.
     *
     * @param value the credentials
     * @return this
     */
    public ClientBuilder credentials(ChannelCredentials value) {
        credentials = Objects.requireNonNull(value, "credentials");
        return this;
    }

    /**
     * Bounds every call that does not wait for a run. Default: 30 s.
     *
     * @param value the time a call may take
     * @return this
     */
    public ClientBuilder deadline(Duration value) {
        deadline = positive("deadline", value);
        return this;
    }

    /**
     * Pings a connection with calls in flight after a time without traffic. Default: 30 s, and 10 s to answer.
     *
     * @param interval the time without traffic; gRPC takes no less than 10 s
     * @param timeout the time to answer in
     * @return this
     */
    public ClientBuilder keepAlive(Duration interval, Duration timeout) {
        keepAlive = positive("interval", interval);
        keepAliveTimeout = positive("timeout", timeout);
        return this;
    }

    /**
     * Bounds how a watch takes a broken stream up again. Default: 20 times in a row, first after 200 ms, doubling up to 5 s.
     *
     * @param most how often in a row; an event in between starts the count anew
     * @param delay the first pause
     * @return this
     */
    public ClientBuilder reconnects(int most, Duration delay) {
        if (most < 0) {
            throw new IllegalArgumentException("most must not be negative, not " + most);
        }
        reconnects = most;
        reconnectDelay = positive("delay", delay);
        return this;
    }

    /**
     * Adds an interceptor of every call, for example for tracing.
     *
     * @param value the interceptor
     * @return this
     */
    public ClientBuilder intercept(ClientInterceptor value) {
        interceptors.add(Objects.requireNonNull(value, "interceptor"));
        return this;
    }

    /**
     * Makes the client. It connects on the first call, and again after every break.
     *
     * @return the client; close it in the end
     * @throws IllegalArgumentException when the address is none
     */
    public MeshflowClient build() {
        Target target = Target.of(address);
        ChannelCredentials plain = target.secure() ? TlsChannelCredentials.create() : InsecureChannelCredentials.create();
        ManagedChannelBuilder<?> builder =
                Grpc.newChannelBuilderForAddress(target.host(), target.port(), credentials == null ? plain : credentials);
        ManagedChannel channel = builder.defaultServiceConfig(retries())
                .perRpcBufferLimit(MAX_MESSAGE_BYTES)
                .retryBufferSize(4L * MAX_MESSAGE_BYTES)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .keepAliveTime(keepAlive.toNanos(), TimeUnit.NANOSECONDS)
                .keepAliveTimeout(keepAliveTimeout.toNanos(), TimeUnit.NANOSECONDS)
                .intercept(interceptors)
                .build();
        io.grpc.Channel authorized = io.grpc.ClientInterceptors.intercept(channel, authorization());
        return new MeshflowClient(new Connection(channel, authorized, deadline, reconnects, reconnectDelay), null);
    }

    private ClientInterceptor authorization() {
        Metadata headers = new Metadata();
        if (!token.isEmpty()) {
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
        }
        return MetadataUtils.newAttachHeadersInterceptor(headers);
    }

    /** Requests that start a run carry a request id, so that all but ForkRun can be repeated after UNAVAILABLE. */
    private static Map<String, ?> retries() {
        List<Map<String, String>> names =
                SERVICES.stream().map(name -> Map.of("service", "meshflow.v1." + name)).toList();
        Map<String, ?> policy = Map.of(
                "maxAttempts", 4.0,
                "initialBackoff", "0.1s",
                "maxBackoff", "1s",
                "backoffMultiplier", 2.0,
                "retryableStatusCodes", List.of("UNAVAILABLE"));
        Map<String, ?> fork = Map.of("name", List.of(Map.of("service", "meshflow.v1.RunService", "method", "ForkRun")));
        return Map.of("methodConfig", List.of(Map.of("name", names, "retryPolicy", policy), fork));
    }

    static Duration positive(String name, Duration value) {
        if (value.isZero() || value.isNegative()) {
            throw new IllegalArgumentException(name + " must be positive, not " + value);
        }
        return value;
    }
}
