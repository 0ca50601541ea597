package dev.meshflow;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A call that failed. A refusal by governance is none: it is the outcome of a run, in {@code status}, {@code blocked_by} and
 * {@code block_reason}.
 */
public final class MeshflowException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient Details details;

    /**
     * A bad field of the request and how to fix it.
     *
     * @param field path of the field, for example {@code policy.budget_usd}
     * @param description what is wrong
     */
    public record FieldViolation(String field, String description) {}

    private record Details(
            Status.Code code,
            String reason,
            List<FieldViolation> violations,
            Optional<Duration> retryAfter,
            Map<String, String> metadata) {}

    private MeshflowException(Details details, String message, Throwable cause) {
        super(message, cause);
        this.details = details;
    }

    /** Reads code, reason, violations and retry time from a failed call. */
    static MeshflowException of(Status status, Metadata trailers) {
        String reason = "";
        Map<String, String> metadata = Map.of();
        List<FieldViolation> violations = List.of();
        Optional<Duration> retryAfter = Optional.empty();
        for (Any detail : detailsOf(status, trailers)) {
            try {
                if (detail.is(ErrorInfo.class)) {
                    ErrorInfo info = detail.unpack(ErrorInfo.class);
                    reason = info.getReason();
                    metadata = Map.copyOf(info.getMetadataMap());
                } else if (detail.is(RetryInfo.class)) {
                    com.google.protobuf.Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
                    retryAfter = Optional.of(Duration.ofSeconds(delay.getSeconds(), delay.getNanos()));
                } else if (detail.is(BadRequest.class)) {
                    violations = detail.unpack(BadRequest.class).getFieldViolationsList().stream()
                            .map(violation -> new FieldViolation(violation.getField(), violation.getDescription()))
                            .toList();
                }
            } catch (InvalidProtocolBufferException unreadable) {
                continue; // The code and the message still tell.
            }
        }
        String name = reason.isEmpty() ? status.getCode().name() : reason;
        String message = status.getDescription() == null ? "" : ": " + status.getDescription();
        Details details = new Details(status.getCode(), reason, violations, retryAfter, metadata);
        return new MeshflowException(details, name + message, status.asRuntimeException(trailers));
    }

    private static List<Any> detailsOf(Status status, Metadata trailers) {
        if (trailers == null) {
            return List.of();
        }
        com.google.rpc.Status rich = StatusProto.fromStatusAndTrailers(status, trailers);
        return rich == null ? List.of() : rich.getDetailsList();
    }

    /** The same failure with the stack of the caller that waited for it. */
    MeshflowException here() {
        return new MeshflowException(details, getMessage(), this);
    }

    /**
     * Returns the gRPC code.
     *
     * @return the code
     */
    public Status.Code code() {
        return details.code;
    }

    /**
     * Returns the server's reason.
     *
     * @return the reason; {@link Reason#NONE} when something on the way answered in the server's place
     */
    public Reason reason() {
        return Reason.of(details.reason);
    }

    /**
     * Returns the reason as the server wrote it.
     *
     * @return the reason's name; empty when there is none
     */
    public String reasonText() {
        return details.reason;
    }

    /**
     * Returns the bad fields of the request.
     *
     * @return the violations, in the server's order; empty when the request is not at fault
     */
    public List<FieldViolation> violations() {
        return details.violations;
    }

    /**
     * Returns when to come back.
     *
     * @return the delay; empty when the server named none
     */
    public Optional<Duration> retryAfter() {
        return details.retryAfter;
    }

    /**
     * Returns what else the server said.
     *
     * @return key-value pairs, for example the limit that was met
     */
    public Map<String, String> metadata() {
        return details.metadata;
    }
}
