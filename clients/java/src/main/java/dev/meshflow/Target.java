package dev.meshflow;

import java.net.URI;
import java.net.URISyntaxException;

/** Where a server listens. */
record Target(String host, int port, boolean secure) {

    /** Reads host:port, http://host[:port] or https://host[:port]. */
    static Target of(String address) {
        boolean link = address.contains("://");
        try {
            URI uri = new URI(link ? address : "plain://" + address).parseServerAuthority();
            int port = uri.getPort() == -1 ? defaultPort(uri.getScheme()) : uri.getPort();
            boolean bare = uri.getRawQuery() == null && uri.getRawFragment() == null && uri.getRawUserInfo() == null;
            boolean root = uri.getRawPath().isEmpty() || link && uri.getRawPath().equals("/");
            if (uri.getHost() != null && port > 0 && port < 65536 && bare && root) {
                return new Target(uri.getHost(), port, uri.getScheme().equals("https"));
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
