package dev.meshflow.contract;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import dev.meshflow.EventStream;
import dev.meshflow.MeshflowClient;
import dev.meshflow.MeshflowException;
import dev.meshflow.WatchOptions;
import dev.meshflow.v1.CancelRunRequest;
import dev.meshflow.v1.DecideApprovalRequest;
import dev.meshflow.v1.DiffRunsRequest;
import dev.meshflow.v1.ForkRunRequest;
import dev.meshflow.v1.GetApprovalRequest;
import dev.meshflow.v1.GetRunRequest;
import dev.meshflow.v1.ListApprovalsRequest;
import dev.meshflow.v1.ListEntriesRequest;
import dev.meshflow.v1.ListRunsRequest;
import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.VerifyRunRequest;
import dev.meshflow.v1.WaitRunRequest;
import dev.meshflow.v1.WatchRunRequest;
import io.grpc.Status;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Executes the contract suite's calls through this client; tests/contract/README.md has the protocol. */
public final class ContractDriver {
    private static final JsonFormat.Printer PRINTER = JsonFormat.printer()
            .preservingProtoFieldNames()
            .alwaysPrintFieldsWithNoPresence()
            .omittingInsignificantWhitespace();

    private final String address;
    private final PrintStream out;
    private final Map<String, MeshflowClient> clients = new HashMap<>();

    private ContractDriver(String address, PrintStream out) {
        this.address = address;
        this.out = out;
    }

    public static void main(String[] arguments) throws IOException {
        ContractDriver driver =
                new ContractDriver(arguments[0], new PrintStream(System.out, false, StandardCharsets.UTF_8));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            driver.answer(JsonParser.parseString(line).getAsJsonObject());
        }
        driver.clients.values().forEach(MeshflowClient::close);
    }

    private void answer(JsonObject call) throws IOException {
        JsonElement id = call.get("id");
        JsonObject arguments = call.has("args") ? call.getAsJsonObject("args") : new JsonObject();
        String token = call.has("token") ? call.get("token").getAsString() : "";
        MeshflowClient client = clients.computeIfAbsent(
                token, credential -> MeshflowClient.builder().address(address).token(credential).build());
        try {
            write(id, "result", execute(client, call.get("call").getAsString(), arguments, id));
        } catch (MeshflowException failure) {
            write(id, "error", error(failure));
        } catch (InvalidProtocolBufferException | IllegalArgumentException unsendable) {
            write(id, "error", error("UNSENDABLE", unsendable.getMessage()));
        } catch (UnsupportedOperationException unsupported) {
            write(id, "error", error("UNSUPPORTED", unsupported.getMessage()));
        }
    }

    private JsonElement execute(MeshflowClient client, String call, JsonObject arguments, JsonElement id)
            throws IOException {
        switch (call) {
            case "stream_run" -> {
                return events(client.streamRun(request(arguments)), arguments, id);
            }
            case "watch_run" -> {
                WatchRunRequest watch = read(arguments, WatchRunRequest.newBuilder()).build();
                WatchOptions options = new WatchOptions(watch.getAfterSequence(), watch.getEventView());
                return events(client.watch(watch.getRunId(), options), arguments, id);
            }
            default -> {
                return json(one(client, call, arguments));
            }
        }
    }

    private static Message one(MeshflowClient client, String call, JsonObject arguments) throws IOException {
        return switch (call) {
            case "run" -> client.run(request(arguments));
            case "create_run" -> client.createRun(request(arguments));
            case "check_run" -> client.checkRun(request(arguments));
            case "get_run" -> client.getRun(read(arguments, GetRunRequest.newBuilder()).getRunId());
            case "list_runs" -> client.listRuns(read(arguments, ListRunsRequest.newBuilder()).build());
            case "wait_run" -> waitRun(client, arguments);
            case "cancel_run" -> {
                CancelRunRequest cancel = read(arguments, CancelRunRequest.newBuilder()).build();
                yield client.cancelRun(cancel.getRunId(), cancel.getReason());
            }
            case "fork_run" -> client.forkRun(read(arguments, ForkRunRequest.newBuilder()).build());
            case "diff_runs" -> {
                DiffRunsRequest diff = read(arguments, DiffRunsRequest.newBuilder()).build();
                yield client.diffRuns(diff.getRunA(), diff.getRunB());
            }
            case "list_entries" -> client.listEntries(read(arguments, ListEntriesRequest.newBuilder()).build());
            case "verify_run" -> client.verifyRun(read(arguments, VerifyRunRequest.newBuilder()).getRunId());
            case "list_approvals" -> client.listApprovals(read(arguments, ListApprovalsRequest.newBuilder()).build());
            case "get_approval" -> client.getApproval(read(arguments, GetApprovalRequest.newBuilder()).getApprovalId());
            case "decide_approval" -> client.decideApproval(
                    read(arguments, DecideApprovalRequest.newBuilder()).build());
            case "health" -> client.health();
            default -> throw new UnsupportedOperationException("this driver has no call " + call);
        };
    }

    private static Message waitRun(MeshflowClient client, JsonObject arguments) throws IOException {
        WaitRunRequest wait = read(arguments, WaitRunRequest.newBuilder()).build();
        return arguments.has("timeout_s")
                ? client.waitRun(wait.getRunId(), Duration.ofNanos((long) (wait.getTimeoutS() * 1e9)))
                : client.waitRun(wait.getRunId());
    }

    private JsonElement events(EventStream events, JsonObject arguments, JsonElement id) throws IOException {
        String until = arguments.has("until") ? arguments.get("until").getAsString() : "";
        try (events) {
            while (events.hasNext()) {
                RunEvent event = events.next();
                write(id, "event", json(event));
                if (event.getEventType().equals(until)) {
                    break;
                }
            }
        }
        return JsonNull.INSTANCE;
    }

    private static RunRequest request(JsonObject arguments) throws IOException {
        return read(arguments.getAsJsonObject("request"), RunRequest.newBuilder()).build();
    }

    private static <B extends Message.Builder> B read(JsonObject fields, B builder) throws IOException {
        JsonObject own = fields.deepCopy();
        own.remove("until");
        checkStrings(own, builder.getDescriptorForType());
        JsonFormat.parser().merge(own.toString(), builder);
        return builder;
    }

    /** JsonFormat takes any scalar for a string; setters of this client do not. */
    private static void checkStrings(JsonObject fields, Descriptor type) {
        for (FieldDescriptor field : type.getFields()) {
            JsonElement value = fields.get(field.getName());
            boolean scalar = value != null && value.isJsonPrimitive() && !value.getAsJsonPrimitive().isString();
            if (field.getJavaType() == FieldDescriptor.JavaType.STRING && scalar) {
                throw new IllegalArgumentException(field.getFullName() + " is a string, not " + value);
            } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE && value != null && value.isJsonObject()) {
                checkStrings(value.getAsJsonObject(), field.getMessageType());
            }
        }
    }

    private static JsonElement json(MessageOrBuilder message) throws IOException {
        return JsonParser.parseString(PRINTER.print(message));
    }

    private static JsonObject error(String code, String message) {
        JsonObject error = new JsonObject();
        error.addProperty("code", code);
        error.addProperty("reason", "");
        error.addProperty("message", message);
        error.add("violations", new JsonArray());
        error.add("retry_after_s", JsonNull.INSTANCE);
        return error;
    }

    private static JsonObject error(MeshflowException failure) {
        JsonObject error = error(failure.code().name(), Status.fromThrowable(failure).getDescription());
        error.addProperty("reason", failure.reasonText());
        for (MeshflowException.FieldViolation violation : failure.violations()) {
            JsonObject item = new JsonObject();
            item.addProperty("field", violation.field());
            item.addProperty("description", violation.description());
            error.getAsJsonArray("violations").add(item);
        }
        failure.retryAfter().ifPresent(delay -> error.addProperty("retry_after_s", delay.toNanos() / 1e9));
        return error;
    }

    private void write(JsonElement id, String kind, JsonElement value) {
        JsonObject line = new JsonObject();
        line.add("id", id);
        line.add(kind, value);
        // JsonObject.toString() keeps nulls, which tell "no result" from none.
        out.print(line + "\n");
        out.flush();
    }
}
