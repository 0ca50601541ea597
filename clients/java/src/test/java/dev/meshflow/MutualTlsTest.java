package dev.meshflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Status;
import io.grpc.TlsServerCredentials;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** TLS in both directions, with certificates made for the test. */
@Timeout(60)
final class MutualTlsTest {
    @TempDir
    private static Path directory;

    /** A certificate that signs itself, and its key, as PEM files. */
    private record Identity(Path certificate, Path key) {
        static Identity of(String name) throws Exception {
            Path store = directory.resolve(name + ".p12");
            List<String> command = List.of(
                    Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair", "-alias", name,
                    "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=" + name, "-ext", "san=ip:127.0.0.1",
                    "-validity", "2", "-storetype", "PKCS12", "-keystore", store.toString(), "-storepass", "secret");
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            assertEquals(0, process.waitFor(), new String(process.getInputStream().readAllBytes()));
            KeyStore keys = KeyStore.getInstance("PKCS12");
            try (InputStream file = Files.newInputStream(store)) {
                keys.load(file, "secret".toCharArray());
            }
            return new Identity(
                    pem(name, "CERTIFICATE", keys.getCertificate(name).getEncoded()),
                    pem(name, "PRIVATE KEY", keys.getKey(name, "secret".toCharArray()).getEncoded()));
        }

        private static Path pem(String name, String kind, byte[] bytes) throws IOException {
            String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes);
            Path file = directory.resolve(name + "." + kind.replace(' ', '-'));
            return Files.writeString(file, "-----BEGIN " + kind + "-----\n" + text + "\n-----END " + kind + "-----\n");
        }
    }

    /** The call passes with the client's certificate, and fails without it or with the server unknown. */
    @Test
    void bothSidesProveWhoTheyAre() throws Exception {
        Identity server = Identity.of("server");
        Identity client = Identity.of("client");
        var credentials = TlsServerCredentials.newBuilder()
                .keyManager(server.certificate.toFile(), server.key.toFile())
                .trustManager(client.certificate.toFile())
                .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
                .build();
        try (ScriptedServer secure = new ScriptedServer(credentials)) {
            assertEquals("completed", status(secure.builder().mutualTls(server.certificate, client.certificate, client.key)));
            assertUnavailable(secure.builder().tls(server.certificate));
            assertUnavailable(secure.builder().tls());
            assertUnavailable(secure.builder());
            assertUnavailable(secure.builder().address("https://" + secure.address()));
        }
    }

    /** A file that is missing is named where it is given. */
    @Test
    void filesAreRead() {
        Path missing = directory.resolve("missing.pem");
        assertThrows(IOException.class, () -> MeshflowClient.builder().tls(missing));
    }

    private static String status(ClientBuilder builder) {
        try (MeshflowClient client = builder.deadline(Duration.ofSeconds(10)).token("secret").build()) {
            return client.getRun("run_1").getStatus();
        }
    }

    private static void assertUnavailable(ClientBuilder builder) {
        assertEquals(Status.Code.UNAVAILABLE, assertThrows(MeshflowException.class, () -> status(builder)).code());
    }
}
