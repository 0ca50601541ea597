package dev.meshflow;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;

/** Where a server listens. */
record Target(String host, int port, boolean secure) {

    /** Reads host:port, http://host[:port] or https://host[:port]. */
    static Target of(String address) {
        boolean link = address.contains("://");
        try {
            URI uri = new URI(link ? address : "plain://" + address).parseServerAuthority();
            String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
            int port = uri.getPort() == -1 ? defaultPort(scheme) : uri.getPort();
            boolean known = !link || defaultPort(scheme) > 0;
            boolean bare = uri.getRawQuery() == null && uri.getRawFragment() == null && uri.getRawUserInfo() == null;
            boolean root = uri.getRawPath().isEmpty() || link && uri.getRawPath().equals("/");
            if (known && uri.getHost() != null && port > 0 && port < 65536 && bare && root) {
                return new Target(uri.getHost(), port, scheme.equals("https"));
            }
        } catch (URISyntaxException malformed) {
            // Refused below, as everything else that is no address.
        }
        throw new IllegalArgumentException(
                "'" + address + "' is not an address; write host:port, http://host:port or https://host");
    }

    private static int defaultPort(String scheme) {
        return switch (scheme) {
            case "http" -> 80;
            case "https" -> 443;
            default -> -1;
        };
    }
}
